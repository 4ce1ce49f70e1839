-- The right answer, and no check that speaks against the rationale.
-- STaR's filter, and beyond it whatever is known to be wrong with a rationale that ends at the right answer.
answer = 'pass'
AND equations <> 'fail'          -- every equation it states holds
AND number_provenance <> 'fail'  -- its numbers come from the question or from an earlier step
AND hint_leak <> 'fail'          -- it does not lean on an answer that it was shown
AND degenerate <> 'fail'         -- it is no loop, no fragment and no bare answer
