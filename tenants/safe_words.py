"""The closed world of words: what may stand in a statement where SQLAlchemy copies a text as it is."""

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# A plain word: a field of extract(), a collation, a name whose quoting was switched off.
SAFE_WORD = re.compile(r"\w{1,64}")

# Literal columns that SQLAlchemy itself writes: count(*), EXISTS (SELECT *), LIKE '%' || …, plain numbers, and
# VALUES(`name`), the row that ON DUPLICATE KEY UPDATE could not insert.
SAFE_LITERAL = re.compile(
    r"\*|\d+|'[^'\\]*'|NULL|true|false|VALUES\((\w+|`[^`]+`)\)", re.IGNORECASE
)

# A value that the compiler wrote into the text (literal_execute, literal_binds): a number or one closed string.
SAFE_VALUE = re.compile(r"-?\d+(\.\d+)?([eE][-+]?\d+)?|NULL|true|false|'([^'\\]|''|\\\\)*'")

# SQLAlchemy fills these marks in after quoting, so a name that holds one would be rewritten inside its quotes.
MARK = re.compile(r"__\[|%\(|__BINDMARKER_")

_TYPE_WORD = (
    r"VARYING|PRECISION|WITH|WITHOUT|LOCAL|TIME|ZONE|UNSIGNED|SIGNED|INTEGER|BINARY|YEAR|MONTH|DAY|HOUR|MINUTE|SECOND|TO"
    r'|CHARACTER SET \w+|COLLATE "?[\w.-]+"?'
)
# VARCHAR(15), DOUBLE PRECISION, TIMESTAMP(6) WITHOUT TIME ZONE, NUMERIC(10, 2)[], CHAR(5) CHARACTER SET utf8mb4 …
SAFE_TYPE = re.compile(
    rf'"?[A-Za-z_][\w.]*"?( ({_TYPE_WORD}))*(\([\w\']+(, ?[\w\']+)*\))?( ({_TYPE_WORD}))*(\[\])*',
    re.IGNORECASE,
)

# Operators for .op(): none is a comment anywhere (-- /* #), none binds more loosely than AND (|| and XOR do on
# MariaDB, where they mean OR and exclusive or: write .concat() instead).
SAFE_OPERATORS = _words(
    """
    = != <> < <= > >= <=> + - * / % ^ & | && ~ ! << >> -> ->> @> <@ @@ @? ~* !~ !~* ~~ ~~* !~~ !~~* ^@ <-> <#> <+>
    <% %> <<% %>> -|- &< &> <<| |>> &<| |&> LIKE ILIKE REGEXP RLIKE GLOB MATCH DIV MOD IS OVERLAPS
    """
) | {
    *(
        "NOT LIKE",
        "NOT ILIKE",
        "NOT REGEXP",
        "NOT RLIKE",
        "NOT GLOB",
        "SIMILAR TO",
        "NOT SIMILAR TO",
        "IS NOT",
    ),
    *("IS DISTINCT FROM", "IS NOT DISTINCT FROM", "AT TIME ZONE"),
}
# "#" opens a comment on MariaDB and "?" is a parameter on SQLite, so these are for PostgreSQL alone.
POSTGRESQL_OPERATORS = _words("# #> #>> #- ? ?| ?& || |/ ||/")

# Functions that read their arguments and nothing else. query_to_xml('select …'), set_config(…), dblink(…), a definer
# function of your own and the like are not here, and so refused.
SAFE_FUNCTIONS = _words(
    """
    count sum avg min max total every bool_and bool_or array_agg string_agg group_concat aggregate_strings listagg
    json_agg jsonb_agg json_object_agg jsonb_object_agg json_group_array json_group_object json_arrayagg json_objectagg
    percentile_cont percentile_disc mode stddev variance corr
    row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value nth_value
    lower upper initcap length char_length character_length octet_length concat concat_ws substr substring left right
    trim btrim ltrim rtrim replace translate reverse repeat lpad rpad position instr strpos starts_with split_part
    ascii chr char hex unhex md5 sha1 sha2 sha256 encode decode convert_to quote_literal to_char to_number
    coalesce nullif ifnull if greatest least abs ceil ceiling floor round trunc mod power pow sqrt exp ln log sign
    random now current_timestamp current_date current_time localtime localtimestamp clock_timestamp statement_timestamp
    utc_timestamp sysdate date time datetime julianday strftime unixepoch unix_timestamp from_unixtime
    date_trunc date_part date_add date_sub date_format age make_interval make_date to_timestamp timestampdiff datediff
    year month day hour minute second
    json json_extract json_value json_query json_object json_array json_each json_tree json_type json_array_length
    json_contains json_unquote json_length json_quote json_valid jsonb_build_object jsonb_build_array json_build_object
    jsonb_array_elements jsonb_array_elements_text json_array_elements json_array_elements_text jsonb_each
    json_to_record jsonb_to_record
    jsonb_extract_path jsonb_extract_path_text jsonb_array_length row_to_json to_json to_jsonb
    unnest generate_series array_length array_position array_to_string string_to_array cardinality
    grouping grouping_sets cube rollup cast convert gen_random_uuid uuid to_tsvector to_tsquery plainto_tsquery
    websearch_to_tsquery ts_rank ts_headline similarity word_similarity pg_column_size bernoulli system
    """
)
