-- Answer before reasoning: kept rationales that state the final answer within their first fifth.
-- What follows an answer cannot have led to it.
SELECT id AS attempt, kind, question_id, gold,
       round(instr(completion, extracted) / length(completion), 2) AS answer_stands_at,
       left(completion, 200) AS rationale
FROM kept
WHERE extracted IS NOT NULL AND length(completion) > 60
  AND instr(completion, extracted) BETWEEN 1 AND length(completion) / 5
  AND instr(question_text, extracted) = 0
ORDER BY answer_stands_at, id
