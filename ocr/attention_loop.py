"""An attention decoder as one ONNX graph that stops when every text has ended.

PyTorch's exporters unroll the decoder's loop or refuse it, so its two halves are exported apart and put together here: what is computed
once runs first, and one decoding step becomes the body of ONNX's own ``Loop``.  That keeps the whole recogniser in one file and one
call, for any runtime, where a loop in Python around a step would copy the state in and out of the runtime for every character.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, compose, helper, numpy_helper

STEP = "step/"
"""Before every name of the body."""
MEMORY = ("features", "keys")
"""Outputs of the first half that every step looks at."""
Value = tuple[str, int, list[str | int | None]]
"""Name, type and axes of an input or output of a graph."""


def close_loop(encoder: ModelProto, step: ModelProto, hidden: int, classes: int, end: int, longest: int) -> ModelProto:
    """Both halves of an attention recogniser as one model.

    Args:
        encoder: ``images`` to ``features`` (B, T, C) and ``keys`` (B, T, hidden).
        step: ``tokens`` (B,), ``hidden`` and ``cell`` (B, hidden), ``features`` and ``keys`` to ``logits`` (B, K), ``next_hidden``
            and ``next_cell``.
        hidden: units of the decoder.
        classes: number of classes, K.
        end: class that ends a text.
        longest: steps after which it stops in any case.

    Returns:
        a model from ``images`` to ``classes`` (B, S) int64, ``probabilities`` (B, S) and ``logits`` (B, S, K); behind a text's end
        its end is certain, as in PyTorch.
    """
    model = ModelProto()
    model.CopyFrom(encoder)
    graph = model.graph
    body = compose.add_prefix(step, STEP).graph
    for node in body.node:
        for i, name in enumerate(node.input):
            if name.removeprefix(STEP) in MEMORY:
                node.input[i] = name.removeprefix(STEP)
    graph.initializer.extend(body.initializer)
    graph.node.extend(_start(hidden, longest))
    graph.node.append(
        helper.make_node(
            "Loop",
            ["longest", "true", "first_tokens", "zeros", "zeros", "none_ended"],
            ["last_tokens", "last_hidden", "last_cell", "ended", "all_logits"],
            body=_body(body, end),
        )
    )
    graph.node.extend(_finish(end, classes))
    del graph.output[:]
    outputs: list[Value] = [
        ("classes", TensorProto.INT64, ["batch", "steps"]),
        ("probabilities", TensorProto.FLOAT, ["batch", "steps"]),
        ("logits", TensorProto.FLOAT, ["batch", "steps", None]),
    ]
    graph.output.extend(helper.make_tensor_value_info(*value) for value in outputs)
    # shapes that were true of one batch only
    del graph.value_info[:]
    onnx.checker.check_model(model)
    return model


def _constant(name: str, value: object, kind: type) -> NodeProto:
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(np.array(value, kind)))


def _filled(shape: str, name: str, value: object, kind: type) -> NodeProto:
    return helper.make_node("ConstantOfShape", [shape], [name], value=numpy_helper.from_array(np.array([value], kind)))


def _start(hidden: int, longest: int) -> list[NodeProto]:
    """The loop's first state, as long as the batch."""
    return [
        _constant("longest", longest, np.int64),
        _constant("true", True, np.bool_),
        _constant("hidden_size", [hidden], np.int64),
        helper.make_node("Shape", ["features"], ["batch_size"], start=0, end=1),
        helper.make_node("Concat", ["batch_size", "hidden_size"], ["state_size"], axis=0),
        _filled("batch_size", "first_tokens", 0, np.int64),
        _filled("batch_size", "none_ended", False, np.bool_),
        _filled("state_size", "zeros", 0.0, np.float32),
    ]


def _body(step: GraphProto, end: int) -> GraphProto:
    """One step, and whether another one is needed."""
    nodes = [
        *step.node,
        _constant(f"{STEP}end", end, np.int64),
        helper.make_node("ArgMax", [f"{STEP}logits"], [f"{STEP}next_tokens"], axis=1, keepdims=0),
        helper.make_node("Equal", [f"{STEP}next_tokens", f"{STEP}end"], [f"{STEP}ends"]),
        helper.make_node("Or", [f"{STEP}ended", f"{STEP}ends"], [f"{STEP}now_ended"]),
        helper.make_node("Cast", [f"{STEP}now_ended"], [f"{STEP}numbers"], to=TensorProto.INT32),
        helper.make_node("ReduceMin", [f"{STEP}numbers"], [f"{STEP}least"], keepdims=0),
        helper.make_node("Cast", [f"{STEP}least"], [f"{STEP}all_ended"], to=TensorProto.BOOL),
        helper.make_node("Not", [f"{STEP}all_ended"], [f"{STEP}go_on"]),
    ]
    state: list[Value] = [
        ("tokens", TensorProto.INT64, ["batch"]),
        ("hidden", TensorProto.FLOAT, ["batch", None]),
        ("cell", TensorProto.FLOAT, ["batch", None]),
        ("ended", TensorProto.BOOL, ["batch"]),
    ]
    given: list[Value] = [("count", TensorProto.INT64, []), ("going", TensorProto.BOOL, []), *state]
    left: list[Value] = [
        ("go_on", TensorProto.BOOL, []),
        *((f"next_{name}" if name != "ended" else "now_ended", kind, axes) for name, kind, axes in state),
        ("logits", TensorProto.FLOAT, ["batch", None]),
    ]
    inputs, outputs = (
        [helper.make_tensor_value_info(f"{STEP}{name}", kind, axes) for name, kind, axes in values]
        for values in (given, left)
    )
    return helper.make_graph(nodes, "step", inputs, outputs)


def _finish(end: int, classes: int) -> list[NodeProto]:
    """From the steps' logits (S, B, K) to the outputs."""
    return [
        helper.make_node("Transpose", ["all_logits"], ["raw_logits"], perm=[1, 0, 2]),
        _constant("end", end, np.int64),
        _constant("steps_axis", 1, np.int64),
        _constant("last_axis", [2], np.int64),
        _constant("one", [1], np.int64),
        helper.make_node("ArgMax", ["raw_logits"], ["raw_classes"], axis=2, keepdims=0),
        helper.make_node("Equal", ["raw_classes", "end"], ["is_end"]),
        helper.make_node("Cast", ["is_end"], ["end_counts"], to=TensorProto.INT64),
        helper.make_node("CumSum", ["end_counts", "steps_axis"], ["ends_so_far"]),
        helper.make_node("Greater", ["ends_so_far", "end_counts"], ["is_behind"]),
        helper.make_node("Unsqueeze", ["is_behind", "last_axis"], ["behind"]),
        # logits that leave no doubt of the end
        _constant("certain", np.where(np.arange(classes) == end, 0.0, -np.inf), np.float32),
        helper.make_node("Where", ["behind", "certain", "raw_logits"], ["logits"]),
        helper.make_node("ArgMax", ["logits"], ["classes"], axis=2, keepdims=0),
        helper.make_node("Softmax", ["logits"], ["all_probabilities"], axis=2),
        helper.make_node("ReduceMax", ["all_probabilities", "last_axis"], ["probabilities"], keepdims=0),
    ]
