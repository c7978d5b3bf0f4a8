"""The gate's answers in the forms that CI systems show. Pure functions of answers; nothing here asks or writes."""
