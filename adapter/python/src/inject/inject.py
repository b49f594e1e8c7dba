def attach(folder, port, token, follow):
    import os
    import sys

    # What an earlier session left is of no use: its port is closed.
    earlier = sys.modules.get("pydevd")
    if earlier is not None:
        earlier.SetupHolder.setup = None
        monkey = sys.modules["_pydev_bundle.pydev_monkey"]
        monkey._get_apply_arg_patching = lambda: getattr(monkey._arg_patch, "apply_arg_patching", True)
    # Or it tells the program's standard error about frozen modules.
    silence, names = "PYDEVD_DISABLE_FILE_VALIDATION", os.environ
    is_own = silence not in names
    if is_own:
        # For Python only: the C library's names must not be changed while other threads may read them.
        names._data[names.encodekey(silence)] = names.encodevalue("1")
    sys.path.insert(0, folder)
    try:
        import debugpy
        from debugpy.server import attach_pid_injected
    finally:
        sys.path.remove(folder)
        if is_own:
            names._data.pop(names.encodekey(silence), None)
    if earlier is not None:
        leave(earlier)
    debugpy.configure(subProcess=follow)
    setup = {"mode": "connect", "address": ["127.0.0.1", port], "adapter_access_token": token, "log_to": None}
    attach_pid_injected.attach(setup)


def leave(pydevd):
    import time

    session = pydevd.get_global_debugger()
    if session is None:
        return
    # One that is about to end would be taken for one that goes on, and nobody would connect.
    session.dispose_and_kill_all_pydevd_threads()
    until = time.monotonic() + 10
    while pydevd.get_global_debugger() is session:
        if time.monotonic() > until:
            raise RuntimeError("its last debugger session does not end")
        time.sleep(0.005)


def begin(right, told, *where):
    # The main thread may stand between any two instructions, and hold any lock of Python's; starting a thread takes none.
    import _thread
    import posix

    def tell(text):
        try:
            # In one piece, since it is read meanwhile. What a traceback is about stands at its end.
            file = posix.open(told, posix.O_WRONLY | posix.O_CLOEXEC)
            try:
                posix.write(file, text[-10000:].encode("utf-8", "backslashreplace"))
            finally:
                posix.close(file)
        except OSError:
            # Nobody waits for it any more.
            pass

    def complain():
        import traceback

        tell(traceback.format_exc())

    def work():
        try:
            attach(*where)
            tell("attached\n")
        except BaseException:
            complain()

    def start():
        try:
            import sys

            if "threading" not in sys.modules:
                import_threading()
            import threading

            # One with an entry in `threading`'s tables, which is taken away again when it ends.
            thread = threading.Thread(target=work, name="weft", daemon=True)
            thread.is_pydev_daemon_thread = thread.pydev_do_not_trace = True
            thread.start()
        except BaseException:
            complain()

    def import_threading():
        import sys

        known = set(sys._current_frames())
        import threading

        # Up to 3.12 it takes whoever imports it first for the main thread (CPython's issue 81597).
        main, own = threading.main_thread(), _thread.get_ident()
        if main.ident != own:
            return
        outermost = {}
        for ident, frame in sys._current_frames().items():
            while frame.f_back is not None:
                frame = frame.f_back
            if ident in known and frame.f_globals is not globals():
                outermost[ident] = frame
        mains = [ident for ident, frame in outermost.items() if frame.f_globals.get("__name__") in ("__main__", "runpy")]
        if len(outermost) > 1 and len(mains) == 1:
            outermost = {mains[0]: outermost[mains[0]]}
        if len(outermost) != 1:
            del sys.modules["threading"]
            raise RuntimeError("which of its threads is the main one cannot be told")
        (ident,) = outermost
        with threading._active_limbo_lock:
            threading._active.pop(own, None)
            main._ident = ident
            if hasattr(main, "_native_id"):
                import os

                main._native_id = os.getpid()
            threading._active[ident] = main
            # The lock that it has is let go when its thread ends: `threading` expects it held when the program ends.
            main._tstate_lock = threading._allocate_lock()
            main._tstate_lock.acquire()

    try:
        # This may be executed twice, and after all was called off: once at most it begins.
        posix.unlink(right)
    except FileNotFoundError:
        return
    except OSError:
        return complain()
    tell("\n")
    _thread.start_new_thread(start, ())


