-- Questions that never pass: no attempt, hinted or not, has the right answer.
-- Often the gold answer is wrong or the question is broken; the favourite wrong answer tells.
SELECT question_id, gold, count(*) AS attempts, count(*) FILTER (hinted) AS hinted_attempts,
       mode(extracted) AS favourite_answer, left(any_value(question_text), 200) AS question
FROM audited
WHERE error IS NULL
GROUP BY question_id, question, gold
HAVING count(*) FILTER (answer = 'pass') = 0
ORDER BY attempts DESC, question_id
