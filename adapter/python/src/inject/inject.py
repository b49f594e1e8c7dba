def attach(folder, port, token, follow):
    import sys

    # What an earlier session left is of no use: its port is closed.
    earlier = sys.modules.get("pydevd")
    if earlier is not None:
        earlier.SetupHolder.setup = None
        monkey = sys.modules["_pydev_bundle.pydev_monkey"]
        monkey._get_apply_arg_patching = lambda: getattr(monkey._arg_patch, "apply_arg_patching", True)
    sys.path.insert(0, folder)
    try:
        import debugpy
        from debugpy.server import attach_pid_injected
    finally:
        del sys.path[0]
    debugpy.configure(subProcess=follow)
    setup = {"mode": "connect", "address": ["127.0.0.1", port], "adapter_access_token": token, "log_to": None}
    attach_pid_injected.attach(setup)


