"""Bridges to other packages, each imported by its own name only.

An app that does not use Authlib's resource protector or OpenAPI documents never loads them.
"""
