-- Lucky minority answers: kept although most samples of the same question agree on another answer.
-- Where a model is right once and consistently wrong otherwise, the right one may be a slip that cancelled.
WITH votes AS (
    SELECT question, extracted, count(*) AS samples
    FROM audited WHERE kind = 'sampled' AND extracted IS NOT NULL
    GROUP BY question, extracted
),
shares AS (
    SELECT *, samples / sum(samples) OVER (PARTITION BY question) AS share,
           max(samples) OVER (PARTITION BY question) AS most
    FROM votes
)
SELECT k.id AS attempt, k.question_id, k.gold, s.samples AS samples_right, s.most AS samples_of_the_favourite,
       round(s.share, 2) AS share_right, left(k.completion, 200) AS rationale
FROM kept k JOIN shares s ON s.question = k.question AND s.extracted = k.extracted
WHERE k.kind = 'sampled' AND s.samples < s.most
ORDER BY s.share, k.id
