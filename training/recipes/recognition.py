"""Recipes of line readers."""

from training.recipe import LineRecipe

# The most frequent characters of laws and poems, punctuation included.
_COMMON = (
    "。,、之人一定及不或關事應項有第機者其二理得十三法行管業規以時本用所日條年公務於前分員中無為主依)地上辦會(處經"
    "生五相四與資請自期設作計國風明未證月書山由核出發在他查報水內申保知後長金可同物來件並天下如方間合外文成學通檢政六"
    "何工百此任平款受心部市動審當等入備施各名新開情限雲春區能指清電路更構家空職意花子產要使實記高我重已七民安權執議見"
    "收委度提登大程營全院歸萬數利告;品調千置至教驗過正對制向原君交道"
)

RECIPES = {
    # The bundled line reader: an hour and a half on one core. Pass --fonts and --strokes, and as --recogniser the
    # hanzinet_slim that it starts from.
    "line_s": LineRecipe(
        model="line_s",
        hands=True,
        chinese_only=("w10",),  # Its sheet names signs and radicals by other rows.
        widths=(256, 512, 768),
        epochs=20,
        steps=500,
        batch_size=16,
        learning_rate=2e-3,
        ema=0.998,
        validation_lines=100,
    ),
    # Lines of 8 to 12 pen-font characters: proves that a CRNN learns, in twenty minutes on two cores.
    # Pass --fonts and --unseen-fonts. Without growth it never leaves the blank.
    "crnn_200": LineRecipe(
        model="crnn",
        sizes={"height": 32, "units": 128, "widths": (16, 48), "dropout": 0.1},
        alphabet=_COMMON,
        epochs=19,
        steps=100,
        batch_size=32,
        learning_rate=2e-3,
        growth=1000,
    ),
    # For trying things out: a few short lines.
    "crnn_tiny": LineRecipe(
        model="crnn",
        sizes={"height": 32, "units": 16},
        alphabet=_COMMON[:20],
        epochs=2,
        steps=10,
        batch_size=8,
        shortest=4,
        longest=8,
    ),
}
