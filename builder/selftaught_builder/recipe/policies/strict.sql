-- The answer stated outright, no check against the rationale, and no luck in sight.
-- For few and clean rationales; near_duplicate is left out, since a sound thing said twice is still sound (`rft` wants variety).
answer_strict = 'pass'           -- a final answer marked as such, in canonical form
AND equations <> 'fail'
AND number_provenance <> 'fail'
AND hint_leak <> 'fail'
AND degenerate <> 'fail'
AND majority <> 'fail'           -- no minority answer, right by slips that cancelled
AND chance <> 'fail'             -- with choices: no question answered no better than by guessing
