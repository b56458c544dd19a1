"""What people ask for beside running stages: a module a verb."""
