-- Right answers by true equations, each way to calculate once.
-- Rejection sampling fine-tuning (Yuan et al. 2023, arXiv 2308.01825): many samples, no hints, ways told apart by their equations.
answer = 'pass'
AND equations <> 'fail'
AND near_duplicate <> 'fail'     -- the first of those that calculate the same, or say it in almost the same words
