"""What this machine could do at best with the same parts: the measure that FastCheck's figures are held against."""
