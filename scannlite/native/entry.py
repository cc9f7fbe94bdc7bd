"""Functions that Python calls, around a kernel that takes whole numbers only: in LLVM's language.

Whoever calls them has validated everything, and arrays are C-contiguous. So a query pays for no
look at types and for no copy of an array's description, and machine code needs nothing of Numba
once it is made. What can be seen at no cost is seen all the same: the number of arguments, a
number that is none, and a kernel that did not get to its end, each of which is an exception.
"""

from __future__ import annotations

from typing import Any

__all__ = ["source"]

_TEXT = """
target triple = "{triple}"
target datalayout = "{layout}"

declare i64 @PyLong_AsLongLong(ptr)
declare ptr @PyLong_FromLongLong(i64)
declare ptr @PyEval_SaveThread()
declare void @PyEval_RestoreThread(ptr)
declare ptr @PyErr_Occurred()
declare void @PyErr_BadInternalCall()
declare i32 @"{kernel}"(ptr, ptr, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64)

define internal i64 @number(ptr %arguments, i64 %place) {{
  %where = getelementptr ptr, ptr %arguments, i64 %place
  %object = load ptr, ptr %where
  %value = call i64 @PyLong_AsLongLong(ptr %object)
  ret i64 %value
}}

; An array's own fields are its data, the number of its dimensions, and where those are.
define internal i64 @data(ptr %arguments, i64 %place) {{
  %where = getelementptr ptr, ptr %arguments, i64 %place
  %object = load ptr, ptr %where
  %field = getelementptr i8, ptr %object, i64 {header}
  %value = load i64, ptr %field
  ret i64 %value
}}

define internal i64 @length(ptr %arguments, i64 %place) {{
  %where = getelementptr ptr, ptr %arguments, i64 %place
  %object = load ptr, ptr %where
  %field = getelementptr i8, ptr %object, i64 {dimensions}
  %shape = load ptr, ptr %field
  %value = load i64, ptr %shape
  ret i64 %value
}}

; Numba's way to be called: where the answer goes, where an error would, the arguments.
define internal ptr @run(i64 %P, i64 %W, i64 %Q, i64 %D, i64 %I, i64 %k,
                         i64 %first, i64 %last, i64 %p, i64 %R) {{
  %answer = alloca i64
  %error = alloca ptr
  %wrong = call ptr @PyErr_Occurred()
  %sound = icmp eq ptr %wrong, null
  br i1 %sound, label %search, label %leave

search:
  %thread = call ptr @PyEval_SaveThread()
  %status = call i32 @"{kernel}"(ptr %answer, ptr %error, i64 %P, i64 %W, i64 %Q, i64 %D, i64 %I,
                                 i64 %k, i64 %first, i64 %last, i64 %p, i64 %R)
  call void @PyEval_RestoreThread(ptr %thread)
  %ended = icmp eq i32 %status, 0
  br i1 %ended, label %tell, label %refuse

tell:
  %value = load i64, ptr %answer
  %object = call ptr @PyLong_FromLongLong(i64 %value)
  ret ptr %object

refuse:
  call void @PyErr_BadInternalCall()
  br label %leave

leave:
  ret ptr null
}}

define internal i1 @given(i64 %count, i64 %wanted) {{
  %all = icmp eq i64 %count, %wanted
  br i1 %all, label %leave, label %refuse

refuse:
  call void @PyErr_BadInternalCall()
  br label %leave

leave:
  ret i1 %all
}}

; (P, W, q, distances, ids, p, R)
define ptr @one(ptr %self, ptr %given, i64 %count) {{
  %all = call i1 @given(i64 %count, i64 7)
  br i1 %all, label %search, label %leave

search:
  %P = call i64 @number(ptr %given, i64 0)
  %W = call i64 @number(ptr %given, i64 1)
  %Q = call i64 @data(ptr %given, i64 2)
  %D = call i64 @data(ptr %given, i64 3)
  %I = call i64 @data(ptr %given, i64 4)
  %k = call i64 @length(ptr %given, i64 4)
  %p = call i64 @number(ptr %given, i64 5)
  %R = call i64 @number(ptr %given, i64 6)
  %object = call ptr @run(i64 %P, i64 %W, i64 %Q, i64 %D, i64 %I, i64 %k,
                          i64 0, i64 1, i64 %p, i64 %R)
  ret ptr %object

leave:
  ret ptr null
}}

; (P, W, Q, D, I, k, first, last, p, R)
define ptr @many(ptr %self, ptr %given, i64 %count) {{
  %all = call i1 @given(i64 %count, i64 10)
  br i1 %all, label %search, label %leave

search:
  %P = call i64 @number(ptr %given, i64 0)
  %W = call i64 @number(ptr %given, i64 1)
  %Q = call i64 @number(ptr %given, i64 2)
  %D = call i64 @number(ptr %given, i64 3)
  %I = call i64 @number(ptr %given, i64 4)
  %k = call i64 @number(ptr %given, i64 5)
  %first = call i64 @number(ptr %given, i64 6)
  %last = call i64 @number(ptr %given, i64 7)
  %p = call i64 @number(ptr %given, i64 8)
  %R = call i64 @number(ptr %given, i64 9)
  %object = call ptr @run(i64 %P, i64 %W, i64 %Q, i64 %D, i64 %I, i64 %k,
                          i64 %first, i64 %last, i64 %p, i64 %R)
  ret ptr %object

leave:
  ret ptr null
}}
"""


def source(kernel: str, machine: Any, header: int) -> str:
    """The text of ``one`` and ``many``.

    Args:
        kernel: the symbol of the compiled kernel.
        machine: LLVM's target machine.
        header: bytes of an object of Python before its own fields.
    """
    return _TEXT.format(
        kernel=kernel,
        triple=machine.triple,
        layout=machine.target_data,
        header=header,
        dimensions=header + 16,
    )
