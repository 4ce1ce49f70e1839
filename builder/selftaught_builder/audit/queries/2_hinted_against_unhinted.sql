-- Hinted against unhinted: how right answers came about with and without the hint.
-- A false-equation share that is much higher among the rationalized says that the hint, not the reasoning, gave the answer.
SELECT kind,
       count(*) AS completions,
       count(*) FILTER (answer = 'pass') AS right_answers,
       round(100.0 * count(*) FILTER (answer = 'pass') / count(*), 1) AS right_percent,
       count(*) FILTER (answer = 'pass' AND equations = 'fail') AS right_with_false_equation,
       round(100.0 * count(*) FILTER (answer = 'pass' AND equations = 'fail')
             / nullif(count(*) FILTER (answer = 'pass'), 0), 1) AS false_equation_percent,
       count(*) FILTER (answer = 'pass' AND hint_leak = 'fail') AS right_with_hint_showing,
       round(avg(tokens_out) FILTER (answer = 'pass'), 1) AS tokens_per_right_answer
FROM audited
WHERE error IS NULL
GROUP BY kind ORDER BY kind DESC
