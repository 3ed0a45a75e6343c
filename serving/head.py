"""The last dense layers of an integer TFLite file give float32 sums.

An int8 output has 256 levels. Among thousands of classes the best two often share one, and then the
order of the classes decides: of the answers of `hanzinet_m` it changed one in a hundred. Here the last
dense layers keep their int8 weights and take int8 inputs, but hand on their sums as float32 (the
hybrid kernel of TFLite), and what follows them computes in float32. Size and speed stay.
"""

import copy

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from serving import operators

_WEIGHTED = {
    "BATCH_MATMUL",
    "CONV_2D",
    "CONV_3D",
    "DEPTHWISE_CONV_2D",
    "FULLY_CONNECTED",
    "TRANSPOSE_CONV",
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
    "WHILE",
}
_INT8 = schema.TensorType.INT8
_FLOAT32 = schema.TensorType.FLOAT32
# The first versions whose kernels take float32 inputs and int8 weights that have one scale, or many.
_ONE_SCALE, _MANY_SCALES = 9, 12


def with_float_sums(content: bytes) -> bytes:
    """Lets the dense layers behind which no other weights come give float32.

    Args:
        content: A TFLite file that the converter made, int8 throughout.

    Returns:
        The changed file; the same one where no dense layer comes last.
    """
    model = operators.parse(content)
    head = _Head(model)
    if not head.found:
        return content
    head.rewrite()
    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


class _Head:
    """The last dense layers of the main graph, and all that follows them."""

    def __init__(self, model: schema.ModelT) -> None:
        self._model = model
        self._graph = model.subgraphs[0]
        self._members = self._behind_the_last_weights()
        self._float: dict[int, int] = {}
        self.found = bool(self._members)

    def _behind_the_last_weights(self) -> set[int]:
        """The positions of the operators of the head."""
        dense = [
            index
            for index, one in enumerate(self._graph.operators)
            if operators.name(self._model, one) == "FULLY_CONNECTED"
            and self._graph.tensors[one.inputs[0]].type == _INT8
            and self._is_constant(one.inputs[1])
        ]
        members: set[int] = set()
        for first in dense:
            behind = self._followers(first)
            names = {operators.name(self._model, self._graph.operators[index]) for index in behind}
            if not names & _WEIGHTED:
                members |= {first, *behind}
        return members

    def _followers(self, first: int) -> set[int]:
        reached = set(self._graph.operators[first].outputs)
        behind = set()
        for index in range(first + 1, len(self._graph.operators)):
            one = self._graph.operators[index]
            if reached & set(one.inputs):
                behind.add(index)
                reached |= set(one.outputs)
        return behind

    def rewrite(self) -> None:
        rewritten = []
        for index, one in enumerate(self._graph.operators):
            if index not in self._members:
                rewritten.append(one)
                continue
            name = operators.name(self._model, one)
            if name in ("QUANTIZE", "DEQUANTIZE") and one.inputs[0] in self._float:
                self._float[one.outputs[0]] = self._float[one.inputs[0]]
                continue
            if name == "FULLY_CONNECTED":
                rewritten += self._dense(one)
            else:
                for place, tensor in enumerate(one.inputs):
                    rewritten += self._make_float(tensor)
                    one.inputs[place] = self._float.get(tensor, tensor)
                rewritten.append(one)
            one.outputs = [self._as_float(tensor) for tensor in one.outputs]
        self._graph.operators = rewritten
        self._graph.outputs = [self._float.get(tensor, tensor) for tensor in self._graph.outputs]
        for signature in self._model.signatureDefs:
            for output in signature.outputs:
                output.tensorIndex = self._float.get(output.tensorIndex, output.tensorIndex)
        self._forget_unused()

    def _forget_unused(self) -> None:
        """Empties the tensors and buffers that nothing refers to any more; their numbers stay."""
        used = {tensor for one in self._graph.operators for tensor in (*one.inputs, *one.outputs)}
        used |= {*self._graph.inputs, *self._graph.outputs}
        for index, tensor in enumerate(self._graph.tensors):
            if index not in used:
                tensor.quantization, tensor.buffer = None, 0
        kept = {tensor.buffer for graph in self._model.subgraphs for tensor in graph.tensors}
        kept |= {entry.buffer for entry in self._model.metadata or []}
        for index, buffer in enumerate(self._model.buffers):
            if index not in kept:
                buffer.data = None

    def _dense(self, one: schema.OperatorT) -> list[schema.OperatorT]:
        """Makes a dense layer hybrid; returns it behind what turns its input into float32."""
        tensor, weights, *bias = one.inputs
        scales = np.asarray(self._graph.tensors[weights].quantization.scale, np.float64)
        if bias and bias[0] >= 0:
            step = self._graph.tensors[tensor].quantization.scale[0] * scales
            bias = [self._constant(bias[0], np.dtype("<i4"), step, 0)]
        before = self._make_float(tensor)
        one.inputs = [self._float[tensor], weights, *bias]
        one.opcodeIndex = self._code(
            schema.BuiltinOperator.FULLY_CONNECTED, _ONE_SCALE if len(scales) == 1 else _MANY_SCALES
        )
        one.builtinOptions.asymmetricQuantizeInputs = True
        return [*before, one]

    def _make_float(self, tensor: int) -> list[schema.OperatorT]:
        """Makes a float32 twin of an int8 tensor; returns the operator that fills it, if it needs one."""
        found = self._graph.tensors[tensor] if tensor >= 0 else None
        if found is None or found.type != _INT8 or tensor in self._float:
            return []
        if self._is_constant(tensor):
            quantization = found.quantization
            self._float[tensor] = self._constant(
                tensor, np.dtype("i1"), np.asarray(quantization.scale, np.float64), quantization.zeroPoint[0]
            )
            return []
        turn = schema.OperatorT()
        turn.opcodeIndex = self._code(schema.BuiltinOperator.DEQUANTIZE, 2)
        turn.inputs, turn.outputs = [tensor], [self._twin(tensor)]
        return [turn]

    def _as_float(self, tensor: int) -> int:
        return self._twin(tensor) if self._graph.tensors[tensor].type == _INT8 else tensor

    def _twin(self, tensor: int) -> int:
        twin = copy.copy(self._graph.tensors[tensor])
        twin.type, twin.quantization, twin.buffer = _FLOAT32, None, 0
        self._float[tensor] = self._add(twin)
        return self._float[tensor]

    def _constant(self, tensor: int, dtype: np.dtype, step: np.ndarray, zero: int) -> int:
        """A float32 copy of a quantised constant."""
        twin = copy.copy(self._graph.tensors[tensor])
        stored = np.frombuffer(bytes(self._model.buffers[twin.buffer].data), dtype)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(
            ((stored.astype(np.float64) - zero) * step).astype("<f4").tobytes(), np.uint8
        )
        self._model.buffers.append(buffer)
        twin.type, twin.quantization, twin.buffer = _FLOAT32, None, len(self._model.buffers) - 1
        return self._add(twin)

    def _add(self, tensor: schema.TensorT) -> int:
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def _is_constant(self, tensor: int) -> bool:
        data = self._model.buffers[self._graph.tensors[tensor].buffer].data
        return data is not None and len(data) > 0

    def _code(self, builtin: int, version: int) -> int:
        for index, code in enumerate(self._model.operatorCodes):
            if (code.builtinCode, code.version) == (builtin, version):
                return index
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = builtin
        code.version = version
        self._model.operatorCodes.append(code)
        return len(self._model.operatorCodes) - 1
