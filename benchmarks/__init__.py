"""The suite behind `tinygrad-lstm bench`: ours against what else is installed, program by program in turns.

A benchmark is a declaration (`declarations`): sizes, programs, targets. `suite` lists them all. The rest is shared:
`turns` and `worker` run the programs, `figures` are the statistics, `report`, `record` and `plot` tell them.
"""
