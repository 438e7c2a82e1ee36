"""Asks again and again, and judges what came."""
