"""Recipes of generators, each about an hour or less on two cores."""

import dataclasses

from training.recipe import GenerationRecipe, Recipe

# Many small batches teach more than few of the papers' 64 or 128.
_GENERATOR = GenerationRecipe(
    model="dcgan", chinese_only=("w10",), learning_rate=2e-4, fall=0.5, epochs=20, batch_size=16
)
# Ten numerals from noise, without 一, which is a dash where its place in a line is not seen. Where the discriminator
# is narrower than the generator it does not win at once.
_TEN = dataclasses.replace(_GENERATOR, characters="二三四五六七八九十百", moved=True, steps=300)
# Characters of many hands from print; the commonest hundred stay for the gate.
_FROM_PRINT = dataclasses.replace(_GENERATOR, model="cgan", held_out=100, steps=150)
# Those that are held to the pixels as well learn more from a step.
_PAIRED = dataclasses.replace(
    _FROM_PRINT,
    sizes={"width": 32},
    adversary={"width": 32},
    learning_rate=5e-4,
    discriminator_rate=2e-4,
    steps=100,
)

RECIPES: dict[str, Recipe] = {
    "gan": dataclasses.replace(_TEN, model="gan", learning_rate=1e-4, discriminator_rate=2e-4, epochs=11),
    "dcgan": dataclasses.replace(_TEN, sizes={"width": 32}, adversary={"width": 16}, epochs=30),
    "wgan": dataclasses.replace(
        _TEN,
        model="wgan",
        sizes={"width": 32},
        # The paper takes five; in the same time the generator learns more from every other one.
        adversary={"width": 16, "critic_steps": 2},
        rule="rmsprop",
        learning_rate=2e-4,
    ),
    "wgan_gp": dataclasses.replace(
        _TEN,
        model="wgan_gp",
        sizes={"width": 32},
        adversary={"width": 16},
        beta_1=0.0,
        beta_2=0.9,
        steps=125,
    ),
    "progan": dataclasses.replace(
        _TEN,
        model="progan",
        sizes={"latent": 64, "width": 8, "most": 64},
        adversary={"width": 8, "most": 64},
        learning_rate=1e-3,
        beta_1=0.0,
        beta_2=0.99,
        ema=0.995,
        growth=3500,
    ),
    "stylegan": dataclasses.replace(
        _TEN,
        model="stylegan",
        sizes={"latent": 64, "width": 8, "most": 64},
        adversary={"width": 8, "most": 64},
        learning_rate=1.78e-3,
        discriminator_rate=1.88e-3,
        beta_1=0.0,
        beta_2=0.99,
        ema=0.995,
    ),
    "cgan": dataclasses.replace(
        _FROM_PRINT,
        adversary={"width": 32},
        discriminator_rate=4e-4,
        beta_1=0.0,
        beta_2=0.9,
        ema=0.99,
        steps=200,
    ),
    "pix2pix": dataclasses.replace(
        _PAIRED,
        model="pix2pix",
        # With zi2zi's constancy it drew more patterns in bold hands. Hands differ from the sixth epoch on; where the rate
        # stays high for longer, strokes fall apart.
        adversary={"width": 32, "constancy": 0.0},
        learning_rate=3e-4,
        discriminator_rate=1e-4,
        epochs=10,
    ),
    "cyclegan": dataclasses.replace(
        _FROM_PRINT,
        model="cyclegan",
        sizes={"width": 16, "depth": 4},
        # Taught jointly, it keeps the strokes of print and adds dirt: KID 0.25 instead of 0.08.
        adversary={"width": 16, "joint": False},
        epochs=10,
        steps=200,
        batch_size=4,
    ),
    "fewshot": dataclasses.replace(_PAIRED, model="fewshot", beta_2=0.9, epochs=10, steps=200),
}
