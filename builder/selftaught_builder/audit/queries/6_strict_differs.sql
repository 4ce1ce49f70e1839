-- Strict differs: kept rationales that are right by the flexible reading only.
-- The strict one wants a marked final answer in canonical form; what the flexible one makes of the rest is worth a look.
SELECT k.id AS attempt, k.kind, k.question_id, k.gold, k.extracted, k.answer_strict AS strict,
       v.detail ->> 'method' AS found_by, right(k.completion, 160) AS ends_with
FROM kept k
JOIN verdicts v ON v.attempt = k.id AND v.verifier = 'answer'
JOIN verifiers s ON s.name = v.verifier AND s.version = v.version
WHERE k.answer = 'pass' AND k.answer_strict <> 'pass'
ORDER BY found_by, k.id
