"""Who is looking: nobody in particular, or, where `.streamlit/secrets.toml` has [auth], whoever logged in by OIDC."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from planner.ui.owner import configured
from planner.ui.session import Translate, plain

# The provider sends everybody back to the first page. The browser's tab remembers the address meanwhile: a path of
# this very origin, followed once, and only where nobody came with another link.
RETURN = """
const NAME = 'planner-before-login';
export default function ({ data }) {
  if (!data.inside) {
    const here = location.pathname + location.search;
    if (location.search || !location.pathname.endsWith('/')) sessionStorage.setItem(NAME, here);
    return;
  }
  const kept = sessionStorage.getItem(NAME), came = performance.getEntriesByType('navigation')[0];
  sessionStorage.removeItem(NAME);
  if (!kept || !kept.startsWith('/') || !came || new URL(came.name).search) return;
  const target = new URL(location.origin + kept);
  if (target.origin === location.origin && target.href !== came.name) location.replace(target);
}
"""


def gate(_: Translate) -> None:
    """Where a login is configured, show nothing before it."""
    if not configured("auth") or st.user.get("is_logged_in"):
        return
    with st.container(horizontal_alignment="center", gap="medium"):
        st.markdown("# " + plain(_("Log in to plan")), anchors=False, width="content")
        for name, label in _providers(_).items():
            st.button(label, on_click=st.login, args=(name,) if name else (), icon=":material/login:", type="primary")
        st.caption(plain(_("A link that somebody gave you opens once you are logged in.")))
        _return(inside=False)
    st.stop()


def _return(inside: bool) -> None:
    """An empty element that remembers the address before a login, and follows it after."""
    st.components.v2.component("planner_return", js=RETURN)(key="return", data={"inside": inside}, height=1)


def _providers(_: Translate) -> dict[str, str]:
    """Buttons by provider; one without a name where there is only one."""
    named = [
        name for name, section in configured("auth").items() if isinstance(section, Mapping) and "client_id" in section
    ]
    return {name: plain(_("Log in with {provider}").format(provider=name)) for name in named} or {"": _("Log in")}


def offer_logout(_: Translate) -> None:
    """Who is logged in, and the way out."""
    if st.user.get("is_logged_in"):
        name = str(st.user.get("name") or st.user.get("email") or "")
        st.button(
            plain(_("Log out {name}").format(name=name[:60])),
            on_click=st.logout,
            icon=":material/logout:",
            type="tertiary",
        )
        _return(inside=True)
