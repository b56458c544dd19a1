"""Every language code of the tasks in one table: name, script, family (ISO 639-1; ISO 15924).

Families are those of Glottolog's top level, with the branch for Indo-European, under the names that
XTREME-R prints: Niger-Congo is Glottolog's Atlantic-Congo, Kra-Dai its Tai-Kadai, and Creole stands
apart, which Glottolog counts to the language that gave its words. The codes of the control world
are ISO 639's private-use ones. How far languages are from each other is in distances.py.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Language:
    """One language as the reports name and group it."""

    name: str
    script: str  # ISO 15924
    family: str


LANGUAGES: dict[str, Language] = {
    "af": Language("Afrikaans", "Latn", "Indo-European: Germanic"),
    "ar": Language("Arabic", "Arab", "Afro-Asiatic"),
    "az": Language("Azerbaijani", "Latn", "Turkic"),
    "bg": Language("Bulgarian", "Cyrl", "Indo-European: Slavic"),
    "bn": Language("Bengali", "Beng", "Indo-European: Indo-Aryan"),
    "de": Language("German", "Latn", "Indo-European: Germanic"),
    "el": Language("Greek", "Grek", "Indo-European: Greek"),
    "en": Language("English", "Latn", "Indo-European: Germanic"),
    "es": Language("Spanish", "Latn", "Indo-European: Romance"),
    "et": Language("Estonian", "Latn", "Uralic"),
    "eu": Language("Basque", "Latn", "Basque"),
    "fa": Language("Persian", "Arab", "Indo-European: Iranian"),
    "fi": Language("Finnish", "Latn", "Uralic"),
    "fr": Language("French", "Latn", "Indo-European: Romance"),
    "gu": Language("Gujarati", "Gujr", "Indo-European: Indo-Aryan"),
    "he": Language("Hebrew", "Hebr", "Afro-Asiatic"),
    "hi": Language("Hindi", "Deva", "Indo-European: Indo-Aryan"),
    "ht": Language("Haitian Creole", "Latn", "Creole"),
    "hu": Language("Hungarian", "Latn", "Uralic"),
    "id": Language("Indonesian", "Latn", "Austronesian"),
    "it": Language("Italian", "Latn", "Indo-European: Romance"),
    "ja": Language("Japanese", "Jpan", "Japonic"),
    "jv": Language("Javanese", "Latn", "Austronesian"),
    "ka": Language("Georgian", "Geor", "Kartvelian"),
    "kk": Language("Kazakh", "Cyrl", "Turkic"),
    "ko": Language("Korean", "Kore", "Koreanic"),
    "lt": Language("Lithuanian", "Latn", "Indo-European: Baltic"),
    "ml": Language("Malayalam", "Mlym", "Dravidian"),
    "mr": Language("Marathi", "Deva", "Indo-European: Indo-Aryan"),
    "ms": Language("Malay", "Latn", "Austronesian"),
    "my": Language("Burmese", "Mymr", "Sino-Tibetan"),
    "nl": Language("Dutch", "Latn", "Indo-European: Germanic"),
    "pa": Language("Punjabi", "Guru", "Indo-European: Indo-Aryan"),
    "pl": Language("Polish", "Latn", "Indo-European: Slavic"),
    "pt": Language("Portuguese", "Latn", "Indo-European: Romance"),
    "qu": Language("Quechua", "Latn", "Quechuan"),
    "ro": Language("Romanian", "Latn", "Indo-European: Romance"),
    "ru": Language("Russian", "Cyrl", "Indo-European: Slavic"),
    "sw": Language("Swahili", "Latn", "Niger-Congo"),
    "ta": Language("Tamil", "Taml", "Dravidian"),
    "te": Language("Telugu", "Telu", "Dravidian"),
    "th": Language("Thai", "Thai", "Kra-Dai"),
    "tl": Language("Tagalog", "Latn", "Austronesian"),
    "tr": Language("Turkish", "Latn", "Turkic"),
    "uk": Language("Ukrainian", "Cyrl", "Indo-European: Slavic"),
    "ur": Language("Urdu", "Arab", "Indo-European: Indo-Aryan"),
    "vi": Language("Vietnamese", "Latn", "Austroasiatic"),
    "wo": Language("Wolof", "Latn", "Niger-Congo"),
    "yo": Language("Yoruba", "Latn", "Niger-Congo"),
    "zh": Language("Chinese", "Hans", "Sino-Tibetan"),
    "mul": Language("several languages", "Zyyy", "several"),
    "qaa": Language("World A (source)", "Latn", "made-up"),
    "qab": Language("World B (near)", "Latn", "made-up"),
    "qac": Language("World C", "Latn", "made-up"),
    "qad": Language("World D", "Latn", "made-up"),
    "qae": Language("World E (far)", "Latn", "made-up"),
}
