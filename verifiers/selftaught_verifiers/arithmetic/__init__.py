"""Arithmetic in prose: what a text calculates and states, read exactly and in time linear in its length.

`tokens` splits text, `phrases` and `units` reduce words to arithmetic, `sides` finds the sides of an equation, `values`
evaluates them, `judging` compares them, `unknowns` tries equations with the value that was found; `statements` puts it
together. `given` reads the numbers of a question.
"""
