"""Trade names made up by combination, and what a bank makes of them. Any likeness to a company is chance.

Hard on purpose: one name in two towns, names one letter apart that are two companies, groups whose children share the stem.
"""

from __future__ import annotations

from random import Random

BANK_NAME_MAX = 35
"""MT103 field 50 and most statement formats give a name 35 characters a line."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


STEMS = _words(
    """
    Northgate Harrow Pennine Castlefield Bluebird Meridian Kestrel Orchard Silverline Ashdown Brightwater Calder Dunmore
    Elmwood Fairway Greystone Highfield Ivybridge Juniper Kingsway Lakeside Moorland Newhaven Oakfield Parkgate Quayside
    Redbrook Stonebridge Thornbury Underhill Valewood Westbourne Yarrow Zenith Albion Beacon Compass Dragonfly Falcon Granite
    Horizon Keystone Lantern Magpie Nova Osprey Pinnacle Raven Sterling Trident Vector Müller Schröder Böhm Groß Jürgens König
    Lüdemann Jansen Verhoeven Østergaard Renée O'Neill McAllister Patel Okafor Kowalski Lindström
    """
)
TRADES = _words(
    """
    Telecom Telecoms Mobile Mobiles Phones Communications Electronics Electrical Components Wholesale Trading Retail Networks
    Connect Wireless Systems Supplies Distribution Handsets Technologies
    """
)
TOWNS = {
    "GB": _words("Leeds Hull York Derby Bath Luton Reading Exeter Preston Dundee Cardiff Swindon"),
    "IE": _words("Cork Galway Sligo Limerick"),
    "DE": _words("Köln Nürnberg Kiel Bremen Mainz Lübeck Gießen Ulm"),
    "AT": _words("Graz Linz Wels Villach"),
    "NL": _words("Utrecht Breda Zwolle Arnhem Venlo Delft"),
}
LEGAL = {
    "GB": ("Ltd", "Limited", "Ltd", "LLP", "PLC"),
    "IE": ("Ltd", "DAC"),
    "DE": ("GmbH", "GmbH", "GmbH & Co. KG", "AG", "e.K."),
    "AT": ("GmbH", "AG"),
    "NL": ("BV", "B.V.", "VOF"),
}
LEGAL_SHORT = {"Limited": "Ltd", "Ltd": "Limited", "B.V.": "BV", "BV": "B.V.", "GmbH & Co. KG": "GmbH"}
ABBREVIATED = {
    "Communications": "Comms", "Electronics": "Elec", "Distribution": "Dist", "Technologies": "Tech", "International": "Intl",
    "Holdings": "Hldgs", "Wholesale": "Whsle", "Components": "Comp",
}  # fmt: skip
STRANGERS = (
    "Paywell Treasury Services", "Corridor Payments Ltd", "Factoring House AG", "Stichting Derdengelden Betaal",
    "Insolvency Desk LLP", "J Featherstone", "M und A Brandt", "Cloudpay Settlements", "Tandem Finance BV", "Escrow Agents Ltd",
)  # fmt: skip
_SIGNS = {"Ä": "AE", "Ö": "OE", "Ü": "UE", "ß": "SS", "Ø": "OE", "Å": "A", "É": "E", "&": "+", "'": " "}
_BARE = {"Ä": "A", "Ö": "O", "Ü": "U", "ß": "SS", "Ø": "O", "Å": "A", "É": "E", "&": " AND ", "'": ""}


def core(rng: Random, country: str) -> str:
    """A name without its legal form."""
    stem, trade, town = rng.choice(STEMS), rng.choice(TRADES), rng.choice(TOWNS[country])
    match rng.choices(("plain", "two", "town", "long", "sons"), (60, 15, 10, 10, 5))[0]:
        case "two":
            return f"{stem} & {rng.choice(STEMS)} {trade}"
        case "town":
            return f"{town} {stem} {trade}"
        case "long":
            return f"{stem} International {trade} {rng.choice(TRADES)}"
        case "sons":
            return f"{stem} & Sons"
        case _:
            return f"{stem} {trade}"


def legal(rng: Random, country: str) -> str:
    return rng.choice(LEGAL[country])


def lookalike(rng: Random, name: str) -> str:
    """Another company's name that a hurried eye takes for this one."""
    if "Telecom " in name:
        return name.replace("Telecom ", "Telecoms ")
    stem, _, rest = name.partition(" ")
    return rng.choice((f"{stem}s {rest}", f"{stem[:-1]} {rest}", f"New {name}", f"{stem} {rng.choice(TRADES)} {rest}"))


def at_the_bank(name: str, bare: bool = False) -> str:
    """Capitals, no umlauts (two spellings), 35 characters: `Müller & Söhne GmbH` is `MUELLER + SOEHNE GMBH`."""
    signs = _BARE if bare else _SIGNS
    text = "".join(signs.get(sign, sign) for sign in name.replace("ß", "SS").upper())
    return " ".join(text.split())[:BANK_NAME_MAX].rstrip()


def without_legal(name: str) -> str:
    for form in sorted({form for forms in LEGAL.values() for form in forms}, key=len, reverse=True):
        if name.endswith(f" {form}"):
            return name.removesuffix(f" {form}")
    return name


def varied(rng: Random, name: str) -> str:
    """As the customer's bank has it: other legal form, none, or words abbreviated."""
    for form, other in LEGAL_SHORT.items():
        if name.endswith(f" {form}") and rng.random() < 0.6:
            return name.removesuffix(form) + other
    if rng.random() < 0.5:
        return without_legal(name)
    return " ".join(ABBREVIATED.get(word, word) for word in name.split())
