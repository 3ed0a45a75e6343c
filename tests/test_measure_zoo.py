"""The table of the published networks."""

import pytest

from serving import measure_zoo
from tests import tiny


@pytest.mark.slow
def test_a_model_is_trained_a_step_saved_exported_and_timed() -> None:
    row = measure_zoo.measure("efficientnet_b0", **tiny.READERS["efficientnet_b0"])
    assert row["size"] == 32
    assert row["int8"]["bytes"] < row["float32"]["bytes"]
    assert min(row["train_seconds"], row["int8"]["seconds"], row["weights_bytes"]) > 0
    assert "| tiny | 32 |" in measure_zoo.table({"tiny": row})
