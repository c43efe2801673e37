"""The tree of a statement: what the parser gives and the planner reads. Nothing here knows how to run.

Rules:
- Every node is immutable and knows where it stands (`at`, an offset of the text), so that a later error can point at it.
- Chains are flat where a text can make them long: AND and OR have any number of operands, a path any number of steps.
- What has two spellings has one tree: UPDATE ... WHERE and FROM ... WHERE ... SET, SUBSTRING(s, 1) and SUBSTRING(s FROM 1).
"""
