"""Imported by the server that forks the processes of a month: it goes with the tests, and they go with it."""

import ctypes
import signal

import tests.support.month_process

ctypes.CDLL(None).prctl(tests.support.month_process.DEATH_SIGNAL, signal.SIGKILL)
