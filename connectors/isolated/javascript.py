"""JavaScript in QuickJS: one script, its `workflowContext`, its returned value.

Source: Logic Apps, "Add and run code snippets" (inline code): the code is the body of a function, `workflowContext` is
read-only and has `actions`, `trigger` and `workflow`; there is no `require`. The codes of errors are those of the
host's script worker.
"""

from __future__ import annotations

from typing import Any, Final

import quickjs  # type: ignore[import-untyped]

from .fault import Fault

STACK: Final = 512 * 1024
"""Bytes of the script's stack."""

_PRELUDE: Final = """
(() => {
  const refuse = (code, message) => { const error = new Error(message); error.sealflow = code; throw error; };
  const readonly = () => refuse("InlineCodeCannotModifyWorkflowContext", "workflowContext cannot be modified.");
  // Every object is behind a proxy, made when it is read: what is only frozen takes writes in silence. The objects
  // themselves are not frozen, since a proxy must give what a frozen object has, not another proxy.
  const proxies = new WeakMap();
  const deep = (value) => {
    if (value === null || typeof value !== "object") return value;
    let proxy = proxies.get(value);
    if (proxy === undefined) proxies.set(value, proxy = new Proxy(value, plain));
    return proxy;
  };
  const plain = {
    set: readonly, defineProperty: readonly, deleteProperty: readonly, setPrototypeOf: readonly,
    preventExtensions: readonly,
    getOwnPropertyDescriptor: (object, name) => {
      const found = Reflect.getOwnPropertyDescriptor(object, name);
      return found && found.configurable ? { ...found, value: deep(found.value) } : found;
    },
    get: (object, name) => {
      const value = object[name];
      return typeof value === "object" ? deep(value) : value;
    },
  };
  const guarded = (target, missing) => {
    const get = (object, name) =>
      typeof name === "symbol" || name === "toJSON" || Object.hasOwn(object, name) ? deep(object[name]) : missing(name);
    const proxy = new Proxy(target, { ...plain, get });
    proxies.set(proxy, proxy);
    return proxy;
  };
  const given = JSON.parse(globalThis.__given);
  delete globalThis.__given;
  const actions = guarded(given.actions, (name) => refuse("InlineCodeOperationMissing",
    `The action '${name}' is not in workflowContext. Name it in explicitDependencies.actions.`));
  const parts = { actions, workflow: given.workflow };
  if (given.trigger !== null) parts.trigger = given.trigger;
  const workflowContext = guarded(parts, (name) => name === "trigger"
    ? refuse("InlineCodeOperationMissing",
      "The trigger is not in workflowContext. Set explicitDependencies.includeTrigger to true.")
    : refuse("InlineCodeInvalidProperty",
      `workflowContext has no '${name}': it has workflow, actions and trigger.`));
  const settle = (value) => { globalThis.__returned = value === undefined ? undefined : JSON.stringify(value); };
  const failed = (error) => {
    const own = error !== null && typeof error === "object";
    globalThis.__code = own && typeof error.sealflow === "string" ? error.sealflow : null;
    globalThis.__message = own && "message" in error ? `${error.name || "Error"}: ${error.message}` : String(error);
  };
  const quiet = () => {};
  globalThis.console = Object.freeze({ log: quiet, info: quiet, warn: quiet, error: quiet, debug: quiet });
  const compiled = (code) => {
    try { return Function("workflowContext", code); } catch (error) {
      if (error instanceof SyntaxError) error.sealflow = "InlineCodeParsingFailure";
      throw error;
    }
  };
  return (code) => {
    try {
      const value = compiled(code)(workflowContext);
      if (value instanceof Promise) {
        globalThis.__returned = null;
        globalThis.__pending = true;
        value.then((result) => { globalThis.__pending = false; settle(result); },
          (error) => { globalThis.__pending = false; failed(error); });
      } else settle(value);
    } catch (error) { failed(error); }
  };
})()
"""


def perform(inputs: dict[str, Any]) -> str | None:
    """The returned value as JSON text; None where the script returned nothing (undefined).

    `inputs` has `code`, `context` (JSON text of `{"actions", "trigger", "workflow"}`), `seconds` and `bytes`.
    """
    context = quickjs.Context()
    context.set_memory_limit(inputs["bytes"])
    context.set_max_stack_size(STACK)
    try:
        context.set("__given", inputs["context"])
        call = context.eval(_PRELUDE)
        context.set_time_limit(inputs["seconds"])
        call(inputs["code"])
        while context.eval("globalThis.__pending === true") and context.execute_pending_job():
            pass
        if context.eval("globalThis.__pending === true"):
            raise Fault("InlineCodeScriptRuntimeFailure", "The promise that the script returned was never settled.")
        message = context.get("__message")
        returned = context.get("__returned")
    except quickjs.JSException as error:
        raise _fault(str(error), inputs) from None
    if message is not None:
        raise _fault(str(message), inputs, context.get("__code"))
    return returned if isinstance(returned, str) else None


def _fault(text: str, inputs: dict[str, Any], code: str | None = None) -> Fault:
    line = _first_line(text)
    if line.startswith("InternalError: interrupted"):
        return Fault("InlineCodeExecutionTimeout", f"The script ran for more than {inputs['seconds']} seconds.")
    if line == "null" or "out of memory" in line:
        return Fault("InlineCodeScriptRuntimeFailure", f"The script needed more than {inputs['bytes']:,} bytes.")
    return Fault(code or "InlineCodeScriptRuntimeFailure", f"The script failed: {line}")


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0][:1000]
