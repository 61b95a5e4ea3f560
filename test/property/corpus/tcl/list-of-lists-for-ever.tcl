while 1 {lappend x [list $x $x]}
