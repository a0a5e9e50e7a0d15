module spanwalk/programs

go 1.18
