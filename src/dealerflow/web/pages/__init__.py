"""The pages. Each module has one set of pages and exports its ROUTES; `frame` says how to add one."""

from dealerflow.web.pages import assets, home

ROUTES = (*assets.ROUTES, *home.ROUTES)
