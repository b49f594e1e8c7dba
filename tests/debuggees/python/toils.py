"""Computes until it is told to end, by SIGUSR1, and says then whether all of it was right. Its argument: `alone`, on one thread,
which does nothing else and knows no other; `pool`, on four, while the first one waits for them; `lock`, computes when a call into C
is over that keeps the interpreter's lock until the standard input ends. Complaints of what others have it execute are not right either."""

import signal
import sys

FACTOR, TERM, MODULUS = 6364136223846793005, 1442695040888963407, 1 << 64
ended = False
complaints = []


def end(*_):
    global ended
    ended = True


def turn(value, count):
    value = value * FACTOR + TERM
    return value % MODULUS, count + 1  # BP: turn


def toil():
    value = count = 0
    while not ended:
        value, count = turn(value, count)
    # The sum of the series at once.
    power = pow(FACTOR, count, MODULUS * (FACTOR - 1))
    return count > 0 and value == TERM * (power - 1) // (FACTOR - 1) % MODULUS


def alone():
    print("ready", flush=True)
    return toil()


def pool():
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as executor:
        futures = [executor.submit(toil) for _ in range(4)]
        print("ready", flush=True)
        return all(future.result() for future in futures)


def lock():
    import ctypes

    byte = ctypes.create_string_buffer(1)
    print("ready", flush=True)
    # Functions of `PyDLL` are called with the lock held.
    while ctypes.PyDLL(None).read(0, byte, 1) > 0:
        pass
    print("returned", flush=True)
    return toil()


signal.signal(signal.SIGUSR1, end)
sys.unraisablehook = lambda raised: complaints.append(raised.exc_type)
right = {"alone": alone, "pool": pool, "lock": lock}[sys.argv[1]]() and not complaints
print("right" if right else "wrong", flush=True)
sys.exit(not right)
