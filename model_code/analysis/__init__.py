"""What a trained DemiNet makes of users and items: the case study and the gap statistic of its paper."""
