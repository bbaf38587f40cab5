#!/usr/bin/env python3
"""Reduces LiteLLM's model_prices_and_context_window.json to what weir reads of it: prices per token.

  tools/make_price_table.py model_prices.json > src/ledger/model_prices.tsv

One line for each model, sorted by name as bytes:

  NAME <tab> PROVIDER <tab> INPUT_MAX <tab> OUTPUT_MAX <tab> RATES [<tab> CONDITION: RATES]...

A rate is a letter and US dollars per million tokens: i input, c cached input, w cache write, h cache write for an hour,
a audio in the input, p pictures in it, o output, r reasoning, s spoken output, q pictures in the output. A condition is a tier (batch, flex, priority), a threshold of prompt tokens that has to be exceeded
(>200000; xAI's has to be reached: >=128000), both ("priority >200000"), or a band of prompt tokens ((0,256000]).
Left out: models without a price for input tokens, Databricks' units, and prices above 0.001 dollars per token, which are
mistakes of the source.
"""

import decimal
import json
import re
import sys

FIELDS = {
    "input_cost_per_token": "i",
    "cache_read_input_token_cost": "c",
    "cache_creation_input_token_cost": "w",
    "cache_creation_input_token_cost_above_1hr": "h",
    "input_cost_per_audio_token": "a",
    "input_cost_per_image_token": "p",
    "output_cost_per_token": "o",
    "output_cost_per_reasoning_token": "r",
    "output_cost_per_audio_token": "s",
    "output_cost_per_image_token": "q",
}
SUFFIX = re.compile(r"^(?:_above_([0-9]+)k_tokens)?(?:_(priority|flex|batches))?$")
HIGHEST = decimal.Decimal("0.001")
TIERS = {"batches": "batch"}


def rate(value) -> str | None:
    """Dollars per million tokens with at most six decimals, which is picodollars per token."""
    try:
        price = decimal.Decimal(value)
    except (decimal.InvalidOperation, TypeError, ValueError):
        return None
    million = (price * 1_000_000).quantize(decimal.Decimal("0.000001"), decimal.ROUND_HALF_EVEN)
    text = format(million, "f")
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def limit(entry: dict, *names: str) -> str:
    for name in names:
        try:
            return str(int(decimal.Decimal(entry[name])))
        except (KeyError, TypeError, ValueError, decimal.InvalidOperation):
            continue
    return ""


def rates(fields: dict) -> str:
    return " ".join(f"{letter}={fields[letter]}" for letter in "icwhaporsq" if letter in fields)


def line(name: str, entry: dict) -> str | None:
    provider = entry.get("litellm_provider", "")
    sets: dict[str, dict] = {"": {}}
    for key, value in entry.items():
        for field in sorted(FIELDS, key=len, reverse=True):
            match = SUFFIX.match(key[len(field):]) if key.startswith(field) else None
            if not match or isinstance(value, bool):
                continue
            if isinstance(value, (int, decimal.Decimal, str)) and (price := rate(value)) is not None:
                if decimal.Decimal(price) > HIGHEST * 1_000_000:
                    return None
                threshold = f"{'>=' if provider == 'xai' else '>'}{int(match[1]) * 1000}" if match[1] else ""
                condition = " ".join(filter(None, (TIERS.get(match[2], match[2] or ""), threshold)))
                sets.setdefault(condition, {})[FIELDS[field]] = price
            break
    for band in entry.get("tiered_pricing", []):
        if isinstance(band, dict) and "input_cost_per_token" in band and len(band.get("range", [])) == 2:
            low, high = (int(decimal.Decimal(bound)) for bound in band["range"])
            sets[f"({low},{high}]"] = {FIELDS[key]: rate(value) for key, value in band.items() if key in FIELDS}
    if "i" not in sets[""] and not any(condition.startswith("(") for condition in sets):
        return None
    columns = [name, provider, limit(entry, "max_input_tokens", "max_tokens"), limit(entry, "max_output_tokens", "max_tokens")]
    columns.append(rates(sets.pop("")))
    columns += [f"{condition}: {rates(sets[condition])}" for condition in sorted(sets)]
    return "\t".join(columns)


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        models = json.load(file, parse_float=decimal.Decimal)
    models.pop("sample_spec", None)
    lines = [text for name, entry in models.items() if not re.search(r"[\t\n]", name) and (text := line(name, entry))]
    sys.stdout.write("".join(text + "\n" for text in sorted(lines, key=lambda text: text.split("\t")[0].encode())))


if __name__ == "__main__":
    main()
