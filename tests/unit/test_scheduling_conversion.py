"""What a click is worth: drawn to the level above where little was seen, and its own where much was."""

import json

import pytest

from include.scheduling.conversion import CHANNEL_CLICKS, ORDERS_PER_CLICK, SHOP_CLICKS, ClickCounts, Conversion

CHANNELS = ("email", "app_push")


def learn(counts: dict[tuple[str, str], ClickCounts]) -> Conversion:
    return Conversion.learn(counts, channels=CHANNELS, margin_per_order=8.0)


def test_before_any_click_it_is_the_prior() -> None:
    conversion = learn({})
    for channel in (*CHANNELS, "letter"):
        value = conversion.of("any", channel)
        assert value.orders_per_click == pytest.approx(ORDERS_PER_CLICK)
        assert value.margin_per_order == pytest.approx(8.0)
        assert value.margin_per_click == pytest.approx(0.24)


def test_each_level_is_drawn_to_the_one_above() -> None:
    conversion = learn({("spring", "email"): ClickCounts(200, 20, 400.0), ("autumn", "email"): ClickCounts(50, 0, 0.0)})
    shop = (20 + SHOP_CLICKS * ORDERS_PER_CLICK) / (250 + SHOP_CLICKS)
    email = (20 + CHANNEL_CLICKS * shop) / (250 + CHANNEL_CLICKS)
    assert conversion.shop.orders_per_click == pytest.approx(shop)
    assert conversion.channels["email"].orders_per_click == pytest.approx(email)
    assert conversion.channels["app_push"].orders_per_click == pytest.approx(shop), "no push was clicked"
    spring, autumn = conversion.of("spring", "email"), conversion.of("autumn", "email")
    assert autumn.orders_per_click < email < spring.orders_per_click < 20 / 200
    assert conversion.of("another", "email") == conversion.channels["email"]
    # 20 orders at 20 and 10 pseudo-orders at 8 are 16 an order in the shop.
    assert conversion.shop.margin_per_order == pytest.approx((400 + 80) / 30)
    assert conversion.shop.margin_per_order < spring.margin_per_order < 20


def test_with_many_clicks_a_campaign_is_as_it_was_seen() -> None:
    conversion = learn({("big", "email"): ClickCounts(1e6, 5e4, 1e6), ("small", "app_push"): ClickCounts(10, 5, 5.0)})
    assert conversion.of("big", "email").orders_per_click == pytest.approx(0.05, rel=1e-3)
    assert conversion.of("big", "email").margin_per_order == pytest.approx(20, rel=1e-3)
    assert conversion.of("small", "app_push").orders_per_click < 0.1, "five orders of ten clicks are hardly evidence"


def test_it_comes_back_from_json_exactly() -> None:
    conversion = learn({("spring", "email"): ClickCounts(7.3, 1.1, 9.7), ("spring", "app_push"): ClickCounts(3, 1, 4)})
    told = json.loads(json.dumps({channel: conversion.as_json(channel) for channel in CHANNELS}))
    assert Conversion.of_json(told) == conversion
