-- The right answer, whatever the reasoning.
-- STaR's own filter (Zelikman et al. 2022, arXiv 2203.14465, section 3.1): the baseline to hold the others against.
answer = 'pass'
