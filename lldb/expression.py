"""Expressions that stand for an address. Nothing is written to the process."""

from __future__ import annotations

import re

from spanwalk_lldb.host import HostError

import lldb

# What can be evaluated without memory of the process: no letter, hence no type and no pointer.
ARITHMETIC = re.compile(r"(0[xX][0-9a-fA-F]+|[0-9\s()+*/%<>&|^~-])+")


def variable(target: lldb.SBTarget, expression: str) -> int | None:
    """A Go variable's address with '&', else the pointer that it is. LLDB knows names with a dot
    as symbols only."""
    found = target.FindSymbols(expression.lstrip("&"), lldb.eSymbolTypeData)
    if not len(found):
        return None
    symbol = found.GetContextAtIndex(0).GetSymbol()
    address = symbol.GetStartAddress().GetLoadAddress(target)
    if expression.startswith("&"):
        return address
    size = symbol.GetEndAddress().GetLoadAddress(target) - address
    error = lldb.SBError()
    value = target.GetProcess().ReadPointerFromMemory(address, error)
    if size != target.GetAddressByteSize() or error.Fail():
        raise HostError(
            f"'{expression}' is a variable of {size} bytes, not an address",
            f"perhaps '&{expression}'",
        )
    return int(value)


def register_value(frame: lldb.SBFrame, name: str) -> int | None:
    """Of a register, or of what `expression TYPE $name = …` has made."""
    value = frame.FindRegister(name)
    if not value.IsValid():
        value = frame.FindValue(f"${name}", lldb.eValueTypeConstResult)
    error = lldb.SBError()
    number = value.GetValueAsUnsigned(error, 0)
    return None if not value.IsValid() or error.Fail() else int(number)


def evaluate_by_lldb(expression: str, target: lldb.SBTarget, where: lldb.SBTarget) -> int:
    frame = target.GetProcess().GetSelectedThread().GetSelectedFrame()

    def replace(match: re.Match[str]) -> str:
        number = register_value(frame, match[1])
        return match[0] if number is None else hex(number)

    text = re.sub(r"\$(\w+)", replace, expression)
    # To evaluate anything, LLDB maps memory into a process, which stays there.
    if not ARITHMETIC.fullmatch(text):
        if target.GetProcess().GetPluginName() != "elf-core":
            raise HostError(
                f"'{expression}' is no address: only numbers, registers and the name of a variable "
                "can be evaluated without writing to the process",
                f"give the number; expression -- {expression}",
            )
        where = target
    options = lldb.SBExpressionOptions()
    options.SetAllowJIT(False)
    options.SetAutoApplyFixIts(False)
    options.SetLanguage(lldb.eLanguageTypeC)
    options.SetSuppressPersistentResult(True)
    value = where.EvaluateExpression(text, options)
    error = lldb.SBError()
    number = value.GetValueAsUnsigned(error, 0)
    if value.GetError().Success() and error.Success():
        return int(number)
    message = value.GetError().GetCString() or "it has no value"
    reason = re.search(r"<user expression \d+>:\d+:\d+: (.+)", message)
    raise HostError(
        f"'{expression}' is no address: {reason[1] if reason else message.splitlines()[0]}",
        "give a number or an expression of LLDB, in quotes where it has blanks",
    )


def evaluate(debugger: lldb.SBDebugger, expression: str) -> int:
    """The address that an expression stands for; nothing is written to the process."""
    target = debugger.GetSelectedTarget()
    address = variable(target, expression)
    if address is not None:
        return address
    return evaluate_by_lldb(expression, target, debugger.GetDummyTarget())
