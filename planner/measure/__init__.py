"""Ceilings of the GPU under it: `planner measure`, or `python -m planner.measure` with only torch.

    cases      what is timed
    kernels    the same in torch: the only module that touches the device
    ranks      all-reduce over all visible GPUs
    power      watts and clocks while it runs
    run        one case after the other within a budget of seconds -> document
    files      the document's text, written beside and renamed

Nothing here imports more than the standard library and torch, and torch only when asked.
"""
