"""Each wall alone, against every form in which a query has leaked; and no wall, which must leak."""

import pytest
import scope_forms_attack  # noqa: F401 - adds its forms
import scope_forms_core  # noqa: F401 - adds its forms
import scope_forms_objects  # noqa: F401 - adds its forms
import scope_forms_reading  # noqa: F401 - adds its forms
import scope_forms_writing  # noqa: F401 - adds its forms
from scope_forms import FORMS

each_form = pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)


@each_form
def test_without_a_wall_it_leaks(place, form):
    _, error, leaked = place.attempt(place.unscoped, form.run)
    assert leaked, f"the form shows nothing: {error!r}"


@each_form
def test_the_scope_alone_confines_or_refuses(place, form):
    seen, error, leaked = place.attempt(place.scoped, form.run)
    assert not leaked, seen
    assert type(error) in form.ends, error


@each_form
def test_a_session_without_a_principal_is_closed(sqlite, form):
    seen, error, leaked = sqlite.attempt(sqlite.plain, form.run)
    assert error is not None or form.unseen
    assert not leaked or form.unseen, seen


@pytest.mark.parametrize("role", ["api", "owner"])
@each_form
def test_row_level_security_alone_confines(walled, form, role):
    seen, error, leaked = walled.attempt(walled.confined_by_the_database_alone(role), form.run)
    assert not leaked or not form.owned, (seen, error)


@each_form
def test_both_walls_end_like_the_scope(walled, form):
    seen, error, leaked = walled.attempt(walled.scoped, form.run)
    assert not leaked, seen
    assert type(error) in form.ends, error
