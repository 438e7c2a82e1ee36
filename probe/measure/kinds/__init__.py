"""One file for each kind of question, named as in `rules/model/kinds`: how it is put on the wire.

One third-party library each.
"""
