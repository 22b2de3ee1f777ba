"""No raw SQL: every slot of a statement where SQLAlchemy copies a text as it is, and what may stand there.

Values are bound and names are quoted; what is left is text(), literal columns, operators, functions, types, names
whose quoting was switched off, and classes that compile themselves (``@compiles``). Each slot has a closed list in
``safe_words``; the rest is refused, because nobody can say which table a text reads.
"""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn

from sqlalchemy import BindParameter, Dialect, Numeric
from sqlalchemy.ext import compiler as custom_compilation
from sqlalchemy.sql import operators
from sqlalchemy.types import NullType, TypeEngine

from tenants.errors import UnscopableStatementError
from tenants.ownership import Ownership
from tenants.safe_words import (
    MARK,
    POSTGRESQL_OPERATORS,
    SAFE_FUNCTIONS,
    SAFE_LITERAL,
    SAFE_OPERATORS,
    SAFE_TYPE,
    SAFE_VALUE,
    SAFE_WORD,
)


def refuse(condition: Any, why: str) -> None:
    """Raise UnscopableStatementError with ``why`` where the condition holds."""
    if condition:
        raise UnscopableStatementError(why)


class NoRawSql:
    """Mixin of the guarded statement compiler: one method for each slot that could hold raw SQL."""

    ownership: ClassVar[Ownership]
    dialect: Dialect

    def visit_textclause(self, textclause: Any, *args: Any, **kw: Any) -> NoReturn:
        raise UnscopableStatementError(f"raw SQL cannot be scoped: {str(textclause)[:80]!r}")

    visit_tstring = visit_fromclause = visit_textclause

    def visit_sequence(self, sequence: Any, **kw: Any) -> NoReturn:
        raise UnscopableStatementError("a sequence is shared by all accounts")

    def visit_column(self, column: Any, *args: Any, **kw: Any) -> str:
        name = column.name
        refuse(
            column.is_literal and not SAFE_LITERAL.fullmatch(name),
            f"raw SQL cannot be scoped: {str(name)[:80]!r}",
        )
        refuse(self.ownership.hides(column), f"column {name!r} is never read on this engine")
        return super().visit_column(column, *args, **kw)  # type: ignore[misc,no-any-return]

    def visit_function(self, func: Any, *args: Any, **kw: Any) -> str:
        name = func.name.lower()
        known = name in SAFE_FUNCTIONS or name in self.ownership.safe_functions
        known = known and [p.lower() for p in func.packagenames] in ([], ["pg_catalog"])
        refuse(
            not known,
            f"unknown function {func.name!r}: it could read any table; see safe_functions of Ownership",
        )
        return super().visit_function(func, *args, **kw)  # type: ignore[misc,no-any-return]

    def visit_extract(self, extract: Any, **kw: Any) -> str:
        refuse(not SAFE_WORD.fullmatch(extract.field), "raw SQL in extract()")
        return super().visit_extract(extract, **kw)  # type: ignore[misc,no-any-return]

    def visit_collation(self, element: Any, **kw: Any) -> str:
        refuse(not SAFE_WORD.fullmatch(element.collation), "raw SQL in a collation")
        return super().visit_collation(element, **kw)  # type: ignore[misc,no-any-return]

    # -- operators: none may hold text, and none may loosen the AND that ties a table to its account ------

    def visit_custom_op_binary(self, element: Any, operator: Any, **kw: Any) -> str:
        self._refuse_operator(operator)
        return super().visit_custom_op_binary(element, operator, **kw)  # type: ignore[misc,no-any-return]

    def visit_custom_op_unary_operator(self, element: Any, operator: Any, **kw: Any) -> str:
        self._refuse_operator(operator)
        return super().visit_custom_op_unary_operator(element, operator, **kw)  # type: ignore[misc,no-any-return]

    def visit_custom_op_unary_modifier(self, element: Any, operator: Any, **kw: Any) -> str:
        self._refuse_operator(operator)
        return super().visit_custom_op_unary_modifier(element, operator, **kw)  # type: ignore[misc,no-any-return]

    def _refuse_operator(self, operator: Any) -> None:
        word = operator.opstring.upper()
        known = word in SAFE_OPERATORS or (
            self.dialect.name == "postgresql" and word in POSTGRESQL_OPERATORS
        )
        refuse(not known, f"unknown operator {operator.opstring!r}")

    def visit_expression_clauselist(self, clauselist: Any, **kw: Any) -> str:
        return _closed(clauselist, super().visit_expression_clauselist(clauselist, **kw))  # type: ignore[misc]

    def visit_binary(self, binary: Any, *args: Any, **kw: Any) -> str:
        if isinstance(
            binary.type, Numeric
        ):  # MariaDB copies both into CAST(JSON_EXTRACT(…) AS DECIMAL(p, s))
            numbers = (binary.type.precision, binary.type.scale)
            whole = all(n is None or isinstance(n, int) for n in numbers)
            refuse(not whole, "raw SQL in the precision of a type")
        return _closed(binary, super().visit_binary(binary, *args, **kw))  # type: ignore[misc]

    def visit_between_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        _refuse_open_between(binary)
        return super().visit_between_op_binary(binary, operator, **kw)  # type: ignore[misc,no-any-return]

    def visit_not_between_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        _refuse_open_between(binary)
        return super().visit_not_between_op_binary(binary, operator, **kw)  # type: ignore[misc,no-any-return]

    # -- values ------------------------------------------------------------------------------------------

    def render_literal_value(self, value: Any, type_: Any) -> str:
        text: str = super().render_literal_value(value, type_)  # type: ignore[misc]
        refuse(not SAFE_VALUE.fullmatch(text), "a literal value rendered as raw SQL")
        return text


class QuotedNames:
    """Mixin of the identifier preparer: quoting cannot be switched off for anything but a plain word."""

    def quote(self, ident: str) -> str:
        switched_off = getattr(ident, "quote", None) not in (None, True)
        refuse(
            switched_off and not SAFE_WORD.fullmatch(ident),
            "a name with quoting switched off is raw SQL",
        )
        refuse(MARK.search(ident), "a name that SQLAlchemy would rewrite inside its quotes")
        return super().quote(ident)  # type: ignore[misc,no-any-return]


class PlainTypes:
    """Mixin of the type compiler: the text of a type is a type and nothing more."""

    def process(self, type_: Any, **kw: Any) -> str:
        text: str = super().process(type_, **kw)  # type: ignore[misc]
        refuse(not SAFE_TYPE.fullmatch(text), f"raw SQL in a type: {text[:80]!r}")
        return text


def plain_bind(value: Any, type_: TypeEngine[Any]) -> bool:
    """Return True for one bound value of this very type (or of none yet: it takes the column's).

    Another type could turn the value into another one on its way to the database.
    """
    if not isinstance(value, BindParameter) or value.expanding or value.literal_execute:
        return False
    same = type(value.type) in (type(type_), NullType) and not value.type._variant_mapping
    return same or value.type is type_


def _closed(element: Any, text: str) -> str:
    # SQLAlchemy forgets the brackets of an OR inside a lambda, and then it swallows the AND of the account.
    return f"({text})" if element.operator is operators.or_ else text


def _refuse_open_between(binary: Any) -> None:
    # x BETWEEN a, and the AND that follows would be the account's.
    bounds = binary.right
    both = getattr(bounds, "operator", None) is operators.and_ and len(bounds.clauses) == 2
    refuse(not both, "BETWEEN needs two bounds")


def forbid_custom_compilation() -> None:
    """Make classes compiled by ``@compiles`` unknown to guarded compilers, unless their Ownership declares them."""
    dispatch = custom_compilation._dispatcher.__call__
    if getattr(dispatch, "asks_first", False):
        return

    def ask_first(self: Any, element: Any, compiler: Any, **kw: Any) -> Any:
        if isinstance(compiler, NoRawSql):
            name = type(element).__name__
            declared = type(element) in compiler.ownership.safe_constructs
            refuse(
                not declared,
                f"{name} compiles itself, which is raw SQL; see safe_constructs of Ownership",
            )
        return dispatch(self, element, compiler, **kw)

    ask_first.asks_first = True  # type: ignore[attr-defined]
    custom_compilation._dispatcher.__call__ = ask_first  # type: ignore[method-assign]
