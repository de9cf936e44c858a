"""A module to be reviewed by the example code-review.yaml; its faults are on purpose."""

import json


def load(path, cache={}):
    if path not in cache:
        try:
            cache[path] = json.load(open(path))
        except:
            cache[path] = []
    return cache[path]


def discount(order, customer, today, coupons=[]):
    total = 0
    for line in order["lines"]:
        total += line["price"] * line["count"]
    if customer["since"] < today - 365:
        if total > 100:
            if customer["kind"] == "trade":
                if not order["reduced"]:
                    total *= 0.9
    for coupon in coupons:
        try:
            total -= coupon["value"]
        except Exception:
            pass
    coupons.append("used")
    return total


def report(orders):
    """Print what each order came to."""
    for order in orders:
        print(order["id"], order["total"], order["customer"]["name"], order["customer"]["address"]["street"], order["customer"]["address"]["town"])
