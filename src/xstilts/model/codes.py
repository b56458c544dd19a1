"""How families of encoder-decoders name languages: by a token before the text, or not at all.

mBART-50 and NLLB-200 begin a source with the token of its language, and an answer with that of the
language which is asked for; mT5 is told no language. A tokenizer tells by its pieces which it is.
Codes as in the papers' tables (arXiv 2008.00401, table 1; arXiv 2207.04672, table 1).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xstilts.core.errors import UserError

Codes = Mapping[str, str]  # our language code -> the family's token

_MBART = """
af_ZA ar_AR az_AZ bn_IN cs_CZ de_DE en_XX es_XX et_EE fa_IR fi_FI fr_XX gl_ES gu_IN he_IL hi_IN
hr_HR id_ID it_IT ja_XX ka_GE kk_KZ km_KH ko_KR lt_LT lv_LV mk_MK ml_IN mn_MN mr_IN my_MM ne_NP
nl_XX pl_PL ps_AF pt_XX ro_RO ru_RU si_LK sl_SI sv_SE sw_KE ta_IN te_IN th_TH tl_XX tr_TR uk_UA
ur_PK vi_VN xh_ZA zh_CN
"""
MBART: Codes = {one[:2]: one for one in _MBART.split()}
NLLB: Codes = {
    **{"af": "afr_Latn", "am": "amh_Ethi", "ar": "arb_Arab", "az": "azj_Latn", "bg": "bul_Cyrl"},
    **{"bn": "ben_Beng", "de": "deu_Latn", "el": "ell_Grek", "en": "eng_Latn", "es": "spa_Latn"},
    **{"et": "est_Latn", "eu": "eus_Latn", "fa": "pes_Arab", "fi": "fin_Latn", "fr": "fra_Latn"},
    **{"gu": "guj_Gujr", "ha": "hau_Latn", "he": "heb_Hebr", "hi": "hin_Deva", "ht": "hat_Latn"},
    **{"hu": "hun_Latn", "id": "ind_Latn", "it": "ita_Latn", "ja": "jpn_Jpan", "jv": "jav_Latn"},
    **{"ka": "kat_Geor", "kk": "kaz_Cyrl", "ko": "kor_Hang", "lt": "lit_Latn", "ml": "mal_Mlym"},
    **{"mr": "mar_Deva", "ms": "zsm_Latn", "my": "mya_Mymr", "ne": "npi_Deva", "nl": "nld_Latn"},
    **{"pa": "pan_Guru", "pl": "pol_Latn", "pt": "por_Latn", "qu": "quy_Latn", "ro": "ron_Latn"},
    **{"ru": "rus_Cyrl", "so": "som_Latn", "sw": "swh_Latn", "ta": "tam_Taml", "te": "tel_Telu"},
    **{"th": "tha_Thai", "tl": "tgl_Latn", "tr": "tur_Latn", "uk": "ukr_Cyrl", "ur": "urd_Arab"},
    **{"vi": "vie_Latn", "wo": "wol_Latn", "yo": "yor_Latn", "zh": "zho_Hans"},
}
CODES: dict[str, Codes] = {"mbart": MBART, "m2m_100": NLLB}  # of families, by `model_type`


def of(tokenizer: Any) -> Codes:
    """The codes of a tokenizer's family; none where no language is told."""
    pieces = tokenizer.get_vocab()
    return next((codes for codes in CODES.values() if codes["en"] in pieces), {})


def token(codes: Codes, language: str, tokenizer: Any) -> int | None:
    """The id of the token that tells a language; None where the family has none.

    Raises:
        UserError: the family has such tokens, and none for this language.
    """
    if not codes:
        return None
    name = codes.get(language)
    found = None if name is None else tokenizer.get_vocab().get(name)
    if found is None:
        raise lacks(codes, language, "the model")
    return int(found)


def lacks(codes: Codes, language: str, who: str) -> UserError:
    """Of a language without a code: which there are."""
    return UserError(
        f"{who} has no code for the language {language!r}. "
        f"Mend: leave it out, or take a model that has one; here are {', '.join(sorted(codes))}"
    )
