"""The pages. Each module has one set of pages and exports its ROUTES; `frame` says how to add one."""

from dealerflow.web.pages import (
    account,
    assets,
    board,
    figures,
    home,
    incoming,
    lines,
    loads,
    login,
    mail,
    order,
    queues,
    staff_order,
    tracking,
    webhooks,
)

ROUTES = (
    *assets.ROUTES,
    *home.ROUTES,
    *login.ROUTES,
    *order.ROUTES,
    *tracking.ROUTES,
    *board.ROUTES,
    *staff_order.ROUTES,
    *incoming.ROUTES,
    *lines.ROUTES,
    *loads.ROUTES,
    *figures.ROUTES,
    *queues.ROUTES,
    *mail.ROUTES,
    *account.ROUTES,
    *webhooks.ROUTES,
)
