"""Raw SQL in every corner where SQLAlchemy copies a text as it is.

Most of these put a second SELECT, an OR or a comment next to a statement that is scoped, so that only a net that
looks at this very corner can stop them.
"""

import sys
from math import isqrt

from sqlalchemy import (
    JSON,
    BindParameter,
    ColumnElement,
    Float,
    Integer,
    Numeric,
    Sequence,
    String,
    Uuid,
    bindparam,
    case,
    cast,
    column,
    extract,
    func,
    literal,
    literal_column,
    or_,
    quoted_name,
    select,
    text,
    true,
    type_coerce,
    values,
)
from sqlalchemy.dialects.postgresql import INTERVAL
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import aliased, contains_eager, selectinload, with_loader_criteria
from sqlalchemy.sql import operators
from sqlalchemy.sql.base import SyntaxExtension
from sqlalchemy.sql.elements import (
    BinaryExpression,
    BooleanClauseList,
    ClauseElement,
    UnaryExpression,
)
from sqlalchemy.sql.expression import Executable
from sqlalchemy.sql.operators import custom_op
from sqlalchemy.types import TypeDecorator, UserDefinedType

from saas.models import Role, User
from tests.tenants.catalogue import Counted, Scene, Seen, reads
from tests.tenants.models import Note

EVERYONE = "SELECT username FROM users"
OWN_ROWS = 2  # the arm of a UNION that stays scoped
own_account = (
    User.account_id
)  # compared with A's id where a form scopes itself, as a prepared statement would
AGGREGATE = {"postgresql": "string_agg(username, ',')"}


def _everyone_in_one(w: Scene) -> str:
    return f"(SELECT {AGGREGATE.get(w.backend, 'group_concat(username)')} FROM users)"


def _scoped(w: Scene, *columns):
    return select(*columns or (User.username,)).where(own_account == w.a.account_id)


# -- text() ------------------------------------------------------------------------------------------------


@reads()
def text_statement(w: Scene):
    return w.s.execute(text(EVERYONE)).all()


@reads()
def text_statement_with_parameters(w: Scene):
    return w.s.execute(text(f"{EVERYONE} WHERE status = :status"), {"status": "active"}).all()


@reads()
def text_on_the_connection(w: Scene):
    return w.connection().execute(text(EVERYONE)).all()


@reads()
def text_on_the_engine(w: Scene):
    with w.engine.connect() as connection:
        return connection.execute(text(EVERYONE)).all()


@reads()
def text_with_declared_columns(w: Scene):
    return w.s.execute(text(EVERYONE).columns(column("username"))).all()


@reads()
def text_as_a_subquery(w: Scene):
    return w.s.execute(select(text(EVERYONE).columns(column("username")).subquery())).all()


@reads()
def text_as_a_cte(w: Scene):
    return w.s.execute(select(text(EVERYONE).columns(column("username")).cte("names"))).all()


@reads()
def text_as_an_entity(w: Scene):
    return w.s.scalars(select(User).from_statement(text("SELECT * FROM users"))).all()


@reads()
def text_with_declared_columns_as_an_entity(w: Scene):
    statement = text("SELECT account_id, id, username FROM users").columns(
        User.account_id, User.id, User.username
    )
    return w.s.scalars(select(User).from_statement(statement)).all()


@reads()
def text_in_a_union(w: Scene):
    return w.s.execute(_scoped(w).union_all(text(EVERYONE).columns(column("username")))).all()


@reads()
def text_in_from(w: Scene):
    return w.s.execute(select(column("username")).select_from(text("users"))).all()


@reads()
def text_in_columns(w: Scene):
    return w.s.execute(select(text(_everyone_in_one(w)))).all()


@reads()
def text_in_columns_beside_an_entity(w: Scene):
    return w.s.execute(_scoped(w, User.id, text(_everyone_in_one(w)))).all()


@reads()
def text_in_where(w: Scene):
    return w.s.scalars(_scoped(w).where(text("1=1 OR 1=1"))).all()


@reads()
def text_in_where_with_a_subselect(w: Scene):
    theirs = text("EXISTS (SELECT 1 FROM users AS u WHERE u.username LIKE 'basalt%')")
    return Seen(len(w.s.execute(_scoped(w).where(theirs)).all()))


@reads()
def text_in_the_on_of_a_join(w: Scene):
    joined = (
        select(Role.name)
        .select_from(User)
        .join(Role, text("1=1 OR 1=1"))
        .where(own_account == w.a.account_id)
    )
    return w.s.execute(joined).all()


@reads()
def text_in_group_by(w: Scene):
    grouped = _scoped(w).group_by(text(f"users.username UNION ALL {EVERYONE}"))
    return w.s.scalars(grouped).all()


@reads()
def text_in_having(w: Scene):
    grouped = _scoped(w).group_by(User.username).having(text(f"1=1 UNION ALL {EVERYONE}"))
    return w.s.scalars(grouped).all()


@reads()
def text_in_order_by(w: Scene):
    theirs = "(SELECT count(*) FROM users AS u WHERE u.username LIKE 'basalt%')"
    first = w.s.scalars(
        _scoped(w).order_by(text(f"CASE WHEN {theirs} > 0 THEN users.username END DESC"))
    ).first()
    return Seen(first == "amber-1")


@reads(quiet="SQLAlchemy takes no raw string in order_by()")
def string_in_order_by(w: Scene):
    return w.s.scalars(_scoped(w).order_by(f"1 UNION ALL {EVERYONE}")).all()


@reads(quiet={"mariadb": "a LIMIT takes a number there"})
def text_in_limit(w: Scene):
    size = literal_column("(SELECT count(*) - 9 + 1 FROM users)", Integer)
    return Seen(len(w.s.scalars(_scoped(w).limit(size)).all()) == 1)


@reads()
def text_in_a_function(w: Scene):
    return w.s.execute(select(func.lower(text(_everyone_in_one(w))))).all()


@reads()
def text_in_a_case(w: Scene):
    return w.s.execute(select(case((true(), text(_everyone_in_one(w))), else_=""))).all()


@reads()
def text_in_loader_criteria(w: Scene):
    loose = with_loader_criteria(User, literal_column("1=1 OR 1=1"))
    return w.s.scalars(_scoped(w, User).options(loose)).all()


@reads()
def text_in_an_eager_loader(w: Scene):
    own = select(Note).where(Note.account_id == w.a.account_id)
    notes = w.s.scalars(own.options(selectinload(Note.peers.and_(literal_column("1=1 OR 1=1")))))
    return [list(note.peers) for note in notes]


@reads()
def text_in_contains_eager(w: Scene):
    statement = text(
        "SELECT n.account_id AS na, n.id AS nid, u.account_id AS ua, u.id AS uid, u.username AS uname "
        "FROM t_notes AS n, users AS u"
    ).columns(na=Uuid(), nid=Uuid(), ua=Uuid(), uid=Uuid(), uname=String())
    note = aliased(Note)
    del note
    found = w.s.execute(statement).all()
    return found, contains_eager(Note.peers) and None


@reads(only=() if sys.version_info < (3, 14) else ("sqlite", "postgresql", "mariadb"))
def template_string(w: Scene):
    from sqlalchemy import tstring

    return w.s.execute(tstring(eval("t'SELECT username FROM users'"))).all()  # noqa: S307 - not a word of Python 3.11


@reads()
def driver_sql(w: Scene):
    return w.connection().exec_driver_sql(EVERYONE).all()


@reads()
def driver_sql_on_the_engine(w: Scene):
    with w.engine.connect() as connection:
        return connection.exec_driver_sql(EVERYONE).all()


# -- literal columns and names ---------------------------------------------------------------------------


@reads()
def literal_column_with_a_subselect(w: Scene):
    return w.s.execute(_scoped(w, User.id, literal_column(_everyone_in_one(w)))).all()


@reads()
def literal_column_that_ends_the_statement(w: Scene):
    return w.s.execute(
        _scoped(w, literal_column(f"username FROM users UNION ALL {EVERYONE[:15]}"))
    ).all()


@reads()
def literal_column_in_where(w: Scene):
    return w.s.scalars(_scoped(w).where(literal_column("1=1 OR 1=1"))).all()


@reads()
def literal_column_in_order_by(w: Scene):
    theirs = "(SELECT count(*) FROM users AS u WHERE u.username LIKE 'basalt%')"
    ordered = _scoped(w).order_by(
        literal_column(f"CASE WHEN {theirs} > 0 THEN users.username END").desc()
    )
    return Seen(w.s.scalars(ordered).first() == "amber-1")


@reads()
def literal_column_without_a_table(w: Scene):
    return w.s.execute(select(literal_column("username")).select_from(text("users"))).all()


@reads()
def column_marked_as_literal(w: Scene):
    return w.s.execute(_scoped(w, User.id, column(_everyone_in_one(w), is_literal=True))).all()


@reads()
def unquoted_column_name(w: Scene):
    name = quoted_name(f"username FROM users UNION ALL {EVERYONE[:15]}", False)
    return w.s.execute(_scoped(w, column(name))).all()


@reads()
def unquoted_label(w: Scene):
    name = quoted_name("x FROM users UNION ALL SELECT username", False)
    return w.s.execute(_scoped(w, User.username.label(name))).all()


@reads()
def unquoted_alias(w: Scene):
    name = quoted_name("u CROSS JOIN users", False)
    users = User.__table__.alias(name)
    statement = select(literal_column("'x'")).select_from(users)
    return Counted(isqrt(len(w.connection().execute(statement).all())))


@reads()
def unquoted_table_name(w: Scene):
    from sqlalchemy import table

    return Counted(
        len(
            w.s.execute(
                select(literal(1)).select_from(table(quoted_name("users AS u", False)))
            ).all()
        )
    )


@reads()
def unquoted_name_by_a_class_of_its_own(w: Scene):
    class Loose(str):
        __slots__ = ()
        quote = 0

    return w.s.execute(
        _scoped(w, column(Loose(f"username FROM users UNION ALL {EVERYONE[:15]}")))
    ).all()


@reads(quiet="SQLAlchemy quotes this name")
def name_with_a_quote_in_it(w: Scene):
    return w.s.execute(
        _scoped(w, User.username.label(f'x" FROM users UNION ALL {EVERYONE} --'))
    ).all()


@reads(only=("sqlite", "postgresql"))
def name_that_is_filled_in_after_quoting(w: Scene):
    inner = bindparam(
        "p", '1" FROM users UNION ALL SELECT username -- ', literal_execute=True, type_=_Plain()
    )
    label = quoted_name("x__[POSTCOMPILE_p]", True)
    return (
        w.connection()
        .execute(_scoped(w, User.username.label(label), inner.label("y")))
        .cursor.fetchall()
    )


class _Plain(TypeDecorator):
    """A type whose literal is copied as it is."""

    impl = String
    cache_ok = True

    def process_literal_param(self, value, dialect):
        return value

    def literal_processor(self, dialect):
        return lambda value: value


@reads()
def literal_value_of_a_custom_type(w: Scene):
    raw = bindparam("p", _everyone_in_one(w), literal_execute=True, type_=_Plain())
    return w.s.execute(_scoped(w, User.id, raw.label("x"))).all()


@reads()
def literal_value_in_where(w: Scene):
    raw = bindparam("p", "users.username OR 1=1", literal_execute=True, type_=_Plain())
    return w.s.scalars(_scoped(w).where(User.username == raw)).all()


@reads(only=("postgresql",))
def literal_values_list(w: Scene):
    rows = values(column("x", _Plain()), name="v", literal_binds=True).data(
        [(_everyone_in_one(w),)]
    )
    return w.s.execute(select(rows.c.x)).all()


@reads(quiet="the driver would need the text of a bound value")
def bound_value_that_looks_like_sql(w: Scene):
    return w.s.scalars(_scoped(w).where(User.username == "x' OR '1'='1")).all()


# -- prefixes, suffixes, hints -----------------------------------------------------------------------------


@reads()
def prefix(w: Scene):
    return w.s.scalars(_scoped(w).prefix_with("username FROM users UNION ALL SELECT")).all()


@reads()
def suffix(w: Scene):
    return w.s.scalars(_scoped(w).suffix_with(f"UNION ALL {EVERYONE}")).all()


@reads()
def statement_hint(w: Scene):
    return w.s.scalars(_scoped(w).with_statement_hint(f"UNION ALL {EVERYONE}")).all()


@reads(only=("mariadb",))
def table_hint(w: Scene):
    return w.s.scalars(_scoped(w).with_hint(User, f"UNION ALL {EVERYONE} -- ")).all()


@reads(quiet="SQLAlchemy knows one hint there")
def table_hint_of_postgresql(w: Scene):
    return w.s.scalars(
        _scoped(w).with_hint(User, "ONLY users, ", "postgresql").where(User.username == "x")
    ).all()


@reads(only=("postgresql", "sqlite"))
def cte_prefix(w: Scene):
    names = _scoped(w).cte("names").prefix_with(f"MATERIALIZED ({EVERYONE}), other AS")
    return w.s.execute(select(names.c.username)).all()


@reads()
def cte_suffix(w: Scene):
    names = (
        _scoped(w)
        .cte("names")
        .suffix_with(f", other AS ({EVERYONE}) SELECT username FROM other UNION ALL ", dialect="*")
    )
    return w.s.execute(select(names.c.username)).all()


# -- operators ---------------------------------------------------------------------------------------------


@reads()
def operator_with_a_subselect(w: Scene):
    loose = User.username.op(
        "= '' OR username IN (SELECT username FROM users) OR username =", precedence=100
    )("x")
    return w.s.scalars(_scoped(w).where(loose)).all()


@reads()
def operator_with_an_or(w: Scene):
    return w.s.scalars(
        _scoped(w).where(User.username.op("= '' OR 1=1 OR ''=", precedence=100)("x"))
    ).all()


@reads()
def operator_that_is_or(w: Scene):
    return w.s.scalars(
        _scoped(w).where(User.username.op("IS NOT NULL OR 1 =", precedence=100)(literal(1)))
    ).all()


@reads(only=("mariadb",))
def operator_that_means_or_on_mariadb(w: Scene):
    return w.s.scalars(_scoped(w).where(User.username.op("||", precedence=100)(literal(1)))).all()


@reads(only=("mariadb",))
def operator_xor_of_mariadb(w: Scene):
    theirs = User.username.op("XOR", precedence=100)(literal(1))
    return w.s.scalars(_scoped(w).where(theirs)).all()


@reads(only=("mariadb",))
def operator_that_opens_a_comment(w: Scene):
    loose = literal(1).op("#", precedence=100)(User.username)
    return w.s.scalars(select(User.username).where(loose, own_account == w.a.account_id)).all()


@reads(only=("mariadb",))
def operator_that_opens_a_long_comment(w: Scene):
    opening = User.username.op("/*", precedence=100)(literal(1))
    closing = literal(1).op("*/ OR 1 =", precedence=100)(literal(1))
    return w.s.scalars(_scoped(w).where(opening, closing)).all()


@reads()
def unary_operator_with_text(w: Scene):
    loose = UnaryExpression(
        User.username, operator=custom_op("'' = '' OR '' <", precedence=100), type_=String()
    )
    return w.s.scalars(_scoped(w).where(loose)).all()


@reads()
def unary_modifier_with_text(w: Scene):
    loose = UnaryExpression(
        User.username, modifier=custom_op("= '' OR 1=1", precedence=100), type_=String()
    )
    return w.s.scalars(_scoped(w).where(loose)).all()


@reads()
def boolean_operator_with_text(w: Scene):
    loose = User.username.bool_op("IS NOT NULL OR 1 =", precedence=100)(literal(1))
    return w.s.scalars(_scoped(w).where(loose)).all()


@reads()
def or_in_a_lambda(w: Scene):
    return w.s.scalars(
        select(User).where(lambda: or_(User.status == "active", User.username == "x"))
    ).all()


@reads()
def or_in_a_lambda_before_the_account(w: Scene):
    either = select(User.username).where(lambda: or_(User.status == "active", User.username == "x"))
    return w.connection().execute(either.where(own_account == w.a.account_id)).all()


@reads()
def or_in_the_lambda_of_a_join(w: Scene):
    joined = select(Role.name).join_from(
        User, Role, lambda: or_(User.status == "active", Role.name == User.username)
    )
    return w.s.execute(joined).all()


@reads()
def or_as_a_binary_expression_in_a_lambda(w: Scene):
    def either():
        return BinaryExpression(User.status == "active", User.username == "x", operators.or_)

    return w.s.scalars(select(User).where(lambda: either())).all()  # noqa: PLW0108 - the lambda is the point


@reads(quiet="half a BETWEEN swallows the AND that follows, and is then false or an error")
def between_without_its_second_bound(w: Scene):
    half = BinaryExpression(User.username, literal("a"), operators.between_op)
    return w.s.scalars(select(User.username).where(half, own_account == w.a.account_id)).all()


@reads()
def or_built_by_hand(w: Scene):
    loose = BooleanClauseList._construct_raw(
        operators.and_,
        [own_account == w.a.account_id, or_(User.username == "x", User.status == "active")],
    )
    return w.s.scalars(select(User.username).where(loose)).all()


# -- fields, collations, types -------------------------------------------------------------------------------


@reads(quiet={"sqlite": "SQLAlchemy knows the fields there"})
def extract_with_text(w: Scene):
    field = "year FROM now()) FROM users UNION ALL SELECT EXTRACT(year"
    return Counted(len(w.s.execute(_scoped(w, extract(field, User.created_at))).all()) - OWN_ROWS)


@reads(quiet="SQLAlchemy quotes this name")
def collation_with_text(w: Scene):
    loose = User.username.collate(f"utf8mb4_bin UNION ALL {EVERYONE} -- ")
    return w.s.scalars(_scoped(w).order_by(loose)).all()


@reads()
def unquoted_collation(w: Scene):
    name = {"postgresql": '"C"', "mariadb": "utf8mb4_nopad_bin"}.get(w.backend, "binary")
    loose = User.username.collate(
        quoted_name(f"{name} AS x FROM users UNION ALL SELECT username", False)
    )
    return w.s.scalars(_scoped(w, loose)).all()


class _Open(UserDefinedType):
    """A type whose name ends the statement it stands in."""

    cache_ok = True

    def get_col_spec(self, **kw):
        return "char(80)) FROM users UNION ALL SELECT CAST(users.username AS char(80)"


@reads(quiet={"mariadb": "SQLAlchemy casts to known types there"})
def type_that_ends_the_statement(w: Scene):
    return w.s.execute(_scoped(w, cast(User.username, _Open()))).all()


@reads()
def length_of_a_type(w: Scene):
    length = "80)) FROM users UNION ALL SELECT CAST(users.username AS char(80"
    return w.s.execute(_scoped(w, cast(User.username, String(length)))).all()


@reads(only=("postgresql",))
def fields_of_an_interval(w: Scene):
    fields = "day) FROM users UNION ALL SELECT CAST('1 day' AS INTERVAL day"
    return Counted(
        len(w.s.execute(_scoped(w, cast(literal("1"), INTERVAL(fields=fields)))).all()) - OWN_ROWS
    )


@reads(only=("mariadb",))
def precision_of_a_number_in_json(w: Scene):
    precision = "9, 2)) END FROM users UNION ALL SELECT CASE WHEN 1=1 THEN users.username ELSE CAST(1 AS DECIMAL(9"
    inner = type_coerce(literal("{}"), JSON)["x"].as_numeric(precision, 2)
    return Counted(len(w.s.execute(_scoped(w, type_coerce(inner, String))).all()) - OWN_ROWS)


@reads(only=("postgresql",))
def type_of_a_bound_value(w: Scene):
    class Cast(UserDefinedType):
        cache_ok = True
        render_bind_cast = True

        def get_col_spec(self, **kw):
            return "text OR 1=1"

    return w.s.scalars(
        _scoped(w).where(User.username == BindParameter(None, "x", type_=Cast()))
    ).all()


@reads(quiet="SQLAlchemy binds or checks these")
def numbers_of_a_type(w: Scene):
    return w.s.execute(_scoped(w, cast(literal(1), Numeric(9, 2)), cast(literal(1), Float()))).all()


# -- functions ---------------------------------------------------------------------------------------------


@reads(only=("postgresql",))
def function_that_runs_a_query(w: Scene):
    return w.s.scalar(select(func.query_to_xml(EVERYONE, True, False, "", type_=String)))


@reads(only=("postgresql",))
def function_that_reads_a_table(w: Scene):
    return w.s.scalar(select(func.table_to_xml("users", True, False, "", type_=String)))


@reads(only=("postgresql",))
def function_that_enters_another_account(w: Scene):
    w.s.execute(select(func.set_config("app.account_id", str(w.b.account_id), True)))
    return w.s.scalars(select(User)).all()


@reads(only=("postgresql",))
def function_in_another_schema(w: Scene):
    return w.s.scalar(select(func.pg_catalog.query_to_xml(EVERYONE, True, False, "", type_=String)))


@reads(only=("postgresql",))
def function_in_from_that_runs_a_query(w: Scene):
    query = "SELECT to_tsvector('simple', username) FROM users"
    words = func.ts_stat(query).table_valued("word")
    return w.s.execute(select(words.c.word)).all()


@reads(only=("postgresql",))
def function_that_runs_a_query_as_a_column(w: Scene):
    return w.s.execute(
        _scoped(w, User.id, func.query_to_xml(EVERYONE, True, False, "", type_=String))
    ).all()


@reads(only=("mariadb",))
def sequence_with_text(w: Scene):
    with w.world.watcher.begin() as connection:
        connection.execute(text("CREATE SEQUENCE IF NOT EXISTS t_numbers"))
    name = quoted_name(f"t_numbers), {_everyone_in_one(w)} AS x, (1", False)
    return w.s.execute(select(Sequence(name).next_value())).all()


@reads(
    only=("postgresql",),
    quiet={"postgresql": "the app role may use no sequence, and the name is a quoted literal"},
)
def sequence_by_name(w: Scene):
    return w.s.execute(select(Sequence("t_nobody").next_value())).all()


# -- classes that compile themselves -------------------------------------------------------------------------


class RawColumn(ColumnElement):
    inherit_cache = False
    type = String()

    def __init__(self, words):
        self.words = words


class RawStatement(Executable, ClauseElement):
    inherit_cache = False


class RawExtension(SyntaxExtension, ClauseElement):
    inherit_cache = False
    _traverse_internals = ()

    def apply_to_select(self, select_stmt):
        select_stmt.apply_syntax_extension_point(lambda existing: [*existing, self], "post_body")


class RawType(String):
    pass


@compiles(RawColumn)
def _raw_column(element, compiler, **kw):
    return element.words


@compiles(RawStatement)
def _raw_statement(element, compiler, **kw):
    return EVERYONE


@compiles(RawExtension)
def _raw_extension(element, compiler, **kw):
    return f"UNION ALL {EVERYONE}"


@compiles(RawType)
def _raw_type(element, compiler, **kw):
    return "char(80)) FROM users UNION ALL SELECT CAST(users.username AS char(80)"


@reads()
def self_compiled_column(w: Scene):
    return w.s.execute(_scoped(w, User.id, RawColumn(_everyone_in_one(w)))).all()


@reads()
def self_compiled_criterion(w: Scene):
    return w.s.scalars(_scoped(w).where(RawColumn("1=1 OR 1=1"))).all()


@reads()
def self_compiled_statement(w: Scene):
    return w.connection().execute(RawStatement()).all()


@reads()
def self_compiled_extension(w: Scene):
    return w.s.scalars(_scoped(w).ext(RawExtension())).all()


@reads(quiet={"mariadb": "SQLAlchemy casts to known types there"})
def self_compiled_type(w: Scene):
    return w.s.execute(_scoped(w, cast(User.username, RawType()))).all()


# -- names put in after the verdict ---------------------------------------------------------------------------


@reads()
def schema_name_put_in_later(w: Scene):
    schema = {"sqlite": "main", "postgresql": "public"}.get(w.backend, w.engine.url.database)
    return w.s.execute(
        select(User.username), execution_options={"schema_translate_map": {None: schema}}
    ).all()


@reads()
def unquoted_schema_name_put_in_later(w: Scene):
    schema = {"sqlite": "main", "postgresql": "public"}.get(w.backend, w.engine.url.database)
    name = quoted_name(f"{schema}.users AS u, {schema}", False)
    connection = w.connection().execution_options(schema_translate_map={None: name})
    return Counted(
        isqrt(len(connection.execute(select(literal(1)).select_from(User.__table__)).all()))
    )


# -- the driver's own cursor: no net of ours sees it ---------------------------------------------------------


def _all(cursor):
    cursor.execute(EVERYONE)
    return cursor.fetchall()


@reads(driver=True)
def driver_cursor_of_the_session(w: Scene):
    return _all(w.connection().connection.cursor())


@reads(driver=True)
def driver_cursor_of_a_raw_connection(w: Scene):
    raw = w.engine.raw_connection()
    try:
        return _all(raw.cursor())
    finally:
        raw.close()


@reads(driver=True)
def driver_connection_itself(w: Scene):
    return _all(w.connection().connection.driver_connection.cursor())


@reads(driver=True)
def dialect_s_own_execute(w: Scene):
    cursor = w.connection().connection.cursor()
    w.engine.dialect.do_execute(cursor, EVERYONE, ())
    return cursor.fetchall()
