"""What docs/how-to/extend-on-aws.md shows of the example's template is what stands there."""

from __future__ import annotations

from tests.docs.documents import DOCS, blocks

GUIDE = DOCS / "how-to" / "extend-on-aws.md"
EXAMPLE = DOCS / "how-to" / "examples" / "aws" / "template.yaml"


def test_every_resource_that_the_guide_shows_stands_in_the_example() -> None:
    example = EXAMPLE.read_text("utf-8")
    shown = [
        block.text
        for block in blocks(GUIDE.read_text("utf-8"))
        if block.language == "yaml" and "Type: AWS::" in block.text
    ]
    assert len(shown) == 4
    assert [text for text in shown if text not in example] == []
