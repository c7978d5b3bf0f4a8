"""The words of the product: frozen values that are hashed, signed, stored and returned alike.

Import them from their modules; nothing is re-exported here, so that each word has one address.
"""
