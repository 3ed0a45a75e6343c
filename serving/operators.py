"""The operators of a TFLite file."""

import collections

from ai_edge_litert import schema_py_generated as schema

_NAMES = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}

_TFLITE_RUNTIME = {"FULLY_CONNECTED": 11}
"""The newest version that tflite-runtime 2.14 has of an operator, where the converter writes newer ones."""


def parse(content: bytes) -> schema.ModelT:
    """A TFLite file as objects."""
    return schema.ModelT.InitFromPackedBuf(bytearray(content), 0)


def name(model: schema.ModelT, operator: schema.OperatorT) -> str:
    """The name of an operator, as the schema of TFLite has it."""
    code = model.operatorCodes[operator.opcodeIndex]
    # Codes above 127 stand in the newer of the two fields.
    return _NAMES[max(code.builtinCode, code.deprecatedBuiltinCode)]


def count(content: bytes) -> dict[str, int]:
    """How often each operator occurs in a file, the most frequent one first."""
    model = parse(content)
    found = collections.Counter(name(model, one) for graph in model.subgraphs for one in graph.operators)
    return dict(found.most_common())


def batch(content: bytes) -> int | None:
    """The batch that a file is made for; None takes any."""
    graph = parse(content).subgraphs[0]
    signature = graph.tensors[graph.inputs[0]].shapeSignature
    return 1 if signature is None else None if signature[0] < 0 else int(signature[0])


def too_new_for_tflite_runtime(content: bytes) -> list[str]:
    """The operators of a file that tflite-runtime 2.14 cannot run, such as "FULLY_CONNECTED version 12"."""
    model = parse(content)
    versions = {
        (name(model, one), model.operatorCodes[one.opcodeIndex].version)
        for graph in model.subgraphs
        for one in graph.operators
    }
    return sorted(
        f"{operator} version {version}"
        for operator, version in versions
        if version > _TFLITE_RUNTIME.get(operator, version)
    )
