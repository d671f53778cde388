"""Nothing in a schema runs code, except the functions that the schemas make.

A database writer could plant a trigger, a rule, a policy, a default, a check or an index that calls a function, or
exchange a function. Such an object changes or leaks what is written. The functions are compared with the text of the
schemas; of everything else, nothing may call a function.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from ...errors import StoreCorrupt
from .connection import Connection, Target

_FUNCTION: Final = re.compile(r"CREATE (?:OR REPLACE )?FUNCTION (\w+)\((.*?)\)\s*RETURNS.*?AS \$\$(.*?)\$\$", re.DOTALL)

_PLANTED: Final = r"""
WITH here AS (SELECT oid, relname, relkind, relrowsecurity, relhasrules FROM pg_class
              WHERE relnamespace = $1::text::regnamespace)
SELECT 'trigger ' || tgname FROM pg_trigger JOIN here ON tgrelid = here.oid WHERE NOT tgisinternal
UNION ALL SELECT 'rule ' || rulename FROM pg_rewrite JOIN here ON ev_class = here.oid
UNION ALL SELECT 'policy ' || polname FROM pg_policy JOIN here ON polrelid = here.oid
UNION ALL SELECT 'row security of ' || relname FROM here WHERE relrowsecurity
UNION ALL SELECT 'relation ' || relname FROM here WHERE relkind NOT IN ('r', 'i', 'S', 'c', 't')
UNION ALL SELECT 'child of ' || relname FROM pg_inherits JOIN here ON inhparent = here.oid
UNION ALL SELECT 'default of ' || relname FROM pg_attrdef JOIN here ON adrelid = here.oid
    WHERE pg_get_expr(adbin, adrelid) ~ '[A-Za-z0-9_"]\s*\('
UNION ALL SELECT 'constraint ' || conname FROM pg_constraint JOIN here ON conrelid = here.oid
    WHERE contype = 'c' AND pg_get_expr(conbin, conrelid) ~ '[a-z0-9_"]\s*\('
UNION ALL SELECT 'index ' || relname FROM pg_index JOIN here ON indexrelid = here.oid
    WHERE concat(pg_get_expr(indexprs, indrelid), ' ', pg_get_expr(indpred, indrelid)) ~ '[a-z0-9_"]\s*\('
"""

_FUNCTIONS: Final = """
SELECT proname, pronargs, prosrc,
    prosecdef OR proconfig IS NOT NULL OR prokind <> 'f' OR lanname NOT IN ('sql', 'plpgsql')
FROM pg_proc JOIN pg_language ON pg_language.oid = prolang WHERE pronamespace = $1::text::regnamespace
"""


async def check_schema(connection: Connection, target: Target) -> None:
    """Raises StoreCorrupt for a schema with something else in it than the schemas make."""
    planted = [row[0] for row in await connection.fetch(_PLANTED, f'"{target.schema}"')]
    found = await connection.fetch(_FUNCTIONS, f'"{target.schema}"')
    sources = {(name, count): source for name, count, source, _ in found}
    expected = _functions()
    planted += [f"function {name}" for name, _, _, strange in found if strange]
    planted += [
        f"function {place[0]}"
        for place in sorted(sources.keys() | expected.keys())
        if sources.get(place) != expected.get(place)
    ]
    if planted:
        raise StoreCorrupt(f"The schema of {target.place} was changed: {', '.join(planted[:3])}.")


@cache
def _functions() -> dict[tuple[str, int], str]:
    """The text of each function, by its name and how many arguments it takes."""
    from .schema import schemas

    made: dict[tuple[str, int], str] = {}
    for _, script in schemas():
        for name, arguments, source in _FUNCTION.findall(script):
            made[name, arguments.count(",") + 1 if arguments.strip() else 0] = source
        for name in re.findall(r"DROP FUNCTION (?:IF EXISTS )?(\w+)", script):
            made = {place: source for place, source in made.items() if place[0] != name}
    return made
