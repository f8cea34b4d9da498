"""What computes outputs from tensors, each behind the `Runtime` port; ``scripted`` is the fake.

`isolated` runs any of them in a child process, so that one that hangs can be killed.
"""
