-- Kept rationales with a false equation: right answers whose stated arithmetic does not hold.
-- Empty where the policy says equations <> 'fail'; anything here was reinforced.
SELECT k.id AS attempt, k.kind, k.question_id, v.reason, left(k.completion, 200) AS rationale
FROM kept k
JOIN verdicts v ON v.attempt = k.id AND v.verifier = 'equations' AND v.outcome = 'fail'
JOIN verifiers s ON s.name = v.verifier AND s.version = v.version
ORDER BY k.question_id, k.id
