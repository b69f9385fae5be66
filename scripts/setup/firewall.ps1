# Rules that admit only the named addresses.

# All of them are of this group; so is the one that `dtui preflight --fix` makes.
$RuleGroup = 'dtui'

# The rules that let in more than named machines, as they were before this run changed anything, by name.
$Before = @{}

function Get-DynamicPorts {
    # Ranks listen on ports that the system takes from this range. The words around the two numbers, which end the
    # last two lines, are localised.
    $lines = @(Invoke-Native -Program 'netsh.exe' -Arguments @('int', 'ipv4', 'show', 'dynamicport', 'tcp'))
    $numbers = @(foreach ($line in $lines) {
            $found = [regex]::Match($line, '(\d+)\D{0,}$')
            if ($found.Success) {
                [int]$found.Groups[1].Value
            }
        })
    if ($numbers.Count -lt 2) {
        return '49152-65535'
    }
    $first = $numbers[$numbers.Count - 2]
    $last = $first + $numbers[$numbers.Count - 1] - 1
    if ($first -lt 1 -or $last -gt 65535 -or $last -lt $first) {
        return '49152-65535'
    }
    return "$first-$last"
}

function Get-Rule {
    # The rule of that name; nothing when there is none. Any other error of the look-up stops.
    param([Parameter(Mandatory = $true)][string]$Name)
    try {
        return (Get-NetFirewallRule -Name $Name -ErrorAction Stop)
    } catch {
        if (Test-NotFound $_) {
            return $null
        }
        throw
    }
}

function Get-RuleContent {
    # What a rule says, complete enough to make it again; nothing when there is no such rule.
    param([Parameter(Mandatory = $true)][string]$Name)
    $rule = Get-Rule -Name $Name
    if ($null -eq $rule) {
        return $null
    }
    $port = $rule | Get-NetFirewallPortFilter -ErrorAction Stop
    $address = $rule | Get-NetFirewallAddressFilter -ErrorAction Stop
    $application = $rule | Get-NetFirewallApplicationFilter -ErrorAction Stop
    $ports = @()
    if ([string]$port.Protocol -match '^(TCP|UDP|6|17)$') {
        $ports = @($port.LocalPort | ForEach-Object { [string]$_ })
    }
    return [ordered]@{
        display = [string]$rule.DisplayName
        group = [string]$rule.Group
        direction = [string]$rule.Direction
        action = [string]$rule.Action
        enabled = [string]$rule.Enabled
        profile = [string]$rule.Profile
        protocol = [string]$port.Protocol
        ports = $ports
        icmp = @($port.IcmpType | Where-Object { $null -ne $_ } | ForEach-Object { [string]$_ })
        from = @($address.RemoteAddress | ForEach-Object { [string]$_ } | Sort-Object)
        local = @((Get-Field $address 'LocalAddress') | Where-Object { $_ } | ForEach-Object { [string]$_ })
        program = [string](Get-Field $application 'Program')
    }
}

function Get-PlainAddress {
    # A single machine as Windows may write it: with a mask, or an IPv6 address in another spelling.
    param([Parameter(Mandatory = $true)][string]$Text)
    $plain = $Text -replace '/(32|128|255\.255\.255\.255)$', ''
    $parsed = $null
    if ($plain -match '^[0-9A-Fa-f:.]+$' -and [Net.IPAddress]::TryParse($plain, [ref]$parsed)) {
        return [string]$parsed
    }
    return $plain
}

function Get-RuleSummary {
    # Two contents with the same summary do the same, and Undo finds them by the same group.
    param($Content)
    if ($null -eq $Content) {
        return ''
    }
    $from = @(@(Get-Field $Content 'from') | ForEach-Object { Get-PlainAddress ([string]$_) } | Sort-Object)
    $icmp = ''
    if ([string](Get-Field $Content 'protocol') -match '^(ICMPv?[46]|1|58)$') {
        # A type may stand with its code: 8:0, or 8 and every code.
        $icmp = @(@(Get-Field $Content 'icmp') | ForEach-Object { ([string]$_) -replace ':.+$', '' } | Sort-Object) -join ','
    }
    $protocol = [string](Get-Field $Content 'protocol')
    $numbers = @{ '6' = 'TCP'; '17' = 'UDP'; '1' = 'ICMPv4'; '58' = 'ICMPv6' }
    if ($numbers.ContainsKey($protocol)) {
        $protocol = $numbers[$protocol]
    }
    $program = [string](Get-Field $Content 'program')
    if (-not $program) {
        $program = 'Any'
    }
    $local = @(@(Get-Field $Content 'local') | Where-Object { $_ }) -join ','
    if (-not $local) {
        $local = 'Any'
    }
    $plain = @('group', 'direction', 'action', 'enabled', 'profile' | ForEach-Object { [string](Get-Field $Content $_) })
    return (@($plain + @($protocol, (@(Get-Field $Content 'ports') -join ','), $icmp, ($from -join ','), $local, $program)) -join ' ')
}

function New-RuleFromContent {
    param([Parameter(Mandatory = $true)][string]$Name, [Parameter(Mandatory = $true)]$Content)
    $arguments = @{
        Name = $Name
        DisplayName = [string]$Content.display
        Direction = [string]$Content.direction
        Action = [string]$Content.action
        Enabled = [string]$Content.enabled
        Profile = [string]$Content.profile
        Protocol = [string]$Content.protocol
        RemoteAddress = @($Content.from)
    }
    if ([string]$Content.group) {
        $arguments['Group'] = [string]$Content.group
    }
    if ([string]$Content.protocol -match '^(ICMP|1$|58$)') {
        $arguments['IcmpType'] = @($Content.icmp)
    } elseif (@($Content.ports).Count -gt 0) {
        $arguments['LocalPort'] = @($Content.ports)
    }
    # Journals of older versions have neither.
    $local = @(@(Get-Field $Content 'local') | Where-Object { $_ -and $_ -ne 'Any' })
    if ($local.Count -gt 0) {
        $arguments['LocalAddress'] = $local
    }
    $program = [string](Get-Field $Content 'program')
    if ($program -and $program -ne 'Any') {
        $arguments['Program'] = $program
    }
    New-NetFirewallRule @arguments -ErrorAction Stop | Out-Null
}

function Get-WantedRule {
    # The content of one entry of the effects' firewall list, for the given addresses.
    param([Parameter(Mandatory = $true)]$Rule, [Parameter(Mandatory = $true)][string[]]$From)
    $ports = @()
    if ($Rule.protocol -eq 'TCP') {
        $ports = @(([string]$Rule.ports) -split ',')
        if ($Rule.ports -eq 'dynamic') {
            $ports = @(Get-DynamicPorts)
        }
    }
    $icmp = @()
    if ($Rule.protocol -eq 'ICMPv4') {
        $icmp = @('8')
    } elseif ($Rule.protocol -eq 'ICMPv6') {
        $icmp = @('128')
    }
    return [ordered]@{
        display = "dtui: $($Rule.purpose)"
        group = $RuleGroup
        direction = 'Inbound'
        action = 'Allow'
        enabled = 'True'
        profile = 'Any'
        protocol = [string]$Rule.protocol
        ports = $ports
        icmp = $icmp
        from = @($From | Sort-Object)
    }
}

function Get-PlannedRules {
    # Entries of the effects' firewall list with the addresses that each lets in: ICMP has one protocol for each
    # family of addresses.
    param([Parameter(Mandatory = $true)][object[]]$Rules, [Parameter(Mandatory = $true)][string[]]$From)
    foreach ($rule in $Rules) {
        $own = $From
        if ($rule.protocol -eq 'ICMPv4') {
            $own = @($From | Where-Object { $_ -notmatch ':' })
        } elseif ($rule.protocol -eq 'ICMPv6') {
            $own = @($From | Where-Object { $_ -match ':' })
        }
        if (@($own).Count -gt 0) {
            [pscustomobject]@{ name = [string]$rule.name; protocol = [string]$rule.protocol; ports = [string]$rule.ports; purpose = [string]$rule.purpose; from = @($own) }
        }
    }
}

function Set-ClusterRule {
    # One entry of the effects' firewall list, for the given addresses.
    param([Parameter(Mandatory = $true)]$Rule, [Parameter(Mandatory = $true)][string[]]$From)
    $wanted = Get-WantedRule -Rule $Rule -From $From
    $present = Get-RuleContent -Name $Rule.name
    if ((Get-RuleSummary $present) -eq (Get-RuleSummary $wanted)) {
        return
    }
    Invoke-Change -Kind 'FirewallRule' -Target $Rule.name -Old $present -New $wanted -Do {
        if ($null -ne $present) {
            Remove-NetFirewallRule -Name $Rule.name -ErrorAction Stop
        }
        New-RuleFromContent -Name $Rule.name -Content $wanted
    }
}

function Undo-FirewallRule {
    param([Parameter(Mandatory = $true)]$Entry)
    $present = Get-RuleContent -Name $Entry.target
    if ($null -ne $Entry.old -and (Get-RuleSummary $present) -eq (Get-RuleSummary $Entry.old)) {
        return
    }
    if ($null -ne $present) {
        Remove-NetFirewallRule -Name $Entry.target -ErrorAction Stop
    }
    if ($null -ne $Entry.old) {
        New-RuleFromContent -Name $Entry.target -Content $Entry.old
    }
}

function Remove-RestOfGroup {
    # Takes away the rule that dtui's preflight made here, which no journal names. Where a journal stands, rules stay:
    # this machine may be a master and a worker. Other rules of the group were made by a run, and its journal tells.
    [CmdletBinding(SupportsShouldProcess = $true)]
    param([Parameter(Mandatory = $true)][string[]]$Journals)
    foreach ($journal in $Journals) {
        if (Test-Path -LiteralPath $journal) {
            return
        }
    }
    try {
        $rules = @(Get-NetFirewallRule -Group $RuleGroup -ErrorAction Stop)
    } catch {
        if (Test-NotFound $_) {
            return
        }
        throw
    }
    foreach ($rule in $rules) {
        if ([string]$rule.Name -ne 'dtui-ranks') {
            Write-Note "the firewall rule $($rule.Name) is left: it was made by a setup script whose journal is not here."
        } elseif ($PSCmdlet.ShouldProcess([string]$rule.Name, 'remove the rule that dtui preflight made')) {
            Remove-NetFirewallRule -Name $rule.Name -ErrorAction Stop
            Write-Result -Good $true -Text "$($rule.Name), a rule that dtui preflight made, is removed"
        }
    }
}

function Get-RuleState {
    # 'True', 'False', or nothing where there is no such rule.
    param([Parameter(Mandatory = $true)][string]$Name)
    $rule = Get-Rule -Name $Name
    if ($null -eq $rule) {
        return $null
    }
    return [string]$rule.Enabled
}

function Test-WideAddress {
    # Whether an address of a rule stands for more than machines that somebody named.
    param([AllowEmptyString()][string]$Text = '')
    return ($Text -eq '' -or $Text -match '^(Any|LocalSubnet[46]?|Internet|Intranet)$' -or $Text -match '/(0|1|2|3|4|5|6|7|0\.0\.0\.0|128\.0\.0\.0)$' -or $Text -match '^(0\.0\.0\.0|::)-')
}

function Test-CoversPort {
    # Whether a rule's protocol and local ports take in one of the wanted ports.
    param([Parameter(Mandatory = $true)]$Filter, [Parameter(Mandatory = $true)][int[]]$Ports)
    if ([string]$Filter.Protocol -notmatch '^(TCP|6|Any|256)$') {
        return $false
    }
    foreach ($text in @($Filter.LocalPort)) {
        if ($null -eq $text -or [string]$text -eq 'Any') {
            return $true
        }
        $found = [regex]::Match([string]$text, '^(\d+)(-(\d+))?$')
        if (-not $found.Success) {
            continue
        }
        $first = [int]$found.Groups[1].Value
        $last = $first
        if ($found.Groups[3].Success) {
            $last = [int]$found.Groups[3].Value
        }
        if (@($Ports | Where-Object { $_ -ge $first -and $_ -le $last }).Count -gt 0) {
            return $true
        }
    }
    return $false
}

function Get-Filter {
    # The filter of a rule, from a table of all of them: one query for each rule takes minutes on a real machine. A
    # rule that the table does not have is asked for by itself.
    param([Parameter(Mandatory = $true)]$Rule, [Parameter(Mandatory = $true)]$Table, [Parameter(Mandatory = $true)][string]$Kind)
    $id = [string](Get-Field $Rule 'InstanceID')
    if ($id -and $Table.ContainsKey($id)) {
        return $Table[$id]
    }
    switch ($Kind) {
        'Port' { return ($Rule | Get-NetFirewallPortFilter -ErrorAction Stop) }
        'Address' { return ($Rule | Get-NetFirewallAddressFilter -ErrorAction Stop) }
        default { return ($Rule | Get-NetFirewallApplicationFilter -ErrorAction Stop) }
    }
}

function Get-Table {
    param([AllowEmptyCollection()][object[]]$Filters = @())
    $table = @{}
    foreach ($filter in $Filters) {
        $id = [string](Get-Field $filter 'InstanceID')
        if ($id) {
            $table[$id] = $filter
        }
    }
    return $table
}

function Get-InboundRules {
    # All enabled inbound rules in force of the given action that take in one of the ports, whoever made them.
    param([Parameter(Mandatory = $true)][string]$Action, [Parameter(Mandatory = $true)][int[]]$Ports)
    $rules = @(Get-NetFirewallRule -PolicyStore ActiveStore -ErrorAction Stop | Where-Object {
            [string]$_.Enabled -eq 'True' -and [string]$_.Direction -eq 'Inbound' -and [string]$_.Action -eq $Action
        })
    if ($rules.Count -eq 0) {
        return @()
    }
    $portTable = Get-Table @(Get-NetFirewallPortFilter -PolicyStore ActiveStore -ErrorAction Stop)
    $addressTable = Get-Table @(Get-NetFirewallAddressFilter -PolicyStore ActiveStore -ErrorAction Stop)
    $programTable = Get-Table @(Get-NetFirewallApplicationFilter -PolicyStore ActiveStore -ErrorAction Stop)
    $found = @()
    foreach ($rule in $rules) {
        $port = Get-Filter -Rule $rule -Table $portTable -Kind 'Port'
        if ($null -eq $port -or -not (Test-CoversPort -Filter $port -Ports $Ports)) {
            continue
        }
        $program = Get-Filter -Rule $rule -Table $programTable -Kind 'Application'
        if ([string](Get-Field $program 'Package')) {
            # For one app of the Store.
            continue
        }
        $address = Get-Filter -Rule $rule -Table $addressTable -Kind 'Address'
        $found += [pscustomobject]@{
            name = [string]$rule.Name
            display = [string]$rule.DisplayName
            program = [string](Get-Field $program 'Program')
            from = @($address.RemoteAddress | ForEach-Object { [string]$_ })
            every = (@($port.LocalPort | Where-Object { $null -ne $_ -and [string]$_ -ne 'Any' }).Count -eq 0)
            policy = ([string](Get-Field $rule 'PolicyStoreSourceType') -eq 'GroupPolicy')
        }
    }
    return $found
}

function Get-WideRules {
    # Enabled rules that let more than named machines in to one of the ports, by what they say and not by name.
    param([Parameter(Mandatory = $true)][int[]]$Ports)
    return @(Get-InboundRules -Action 'Allow' -Ports $Ports | Where-Object {
            # WinRM is served by System; a rule for some other program opens neither service.
            ($_.program -eq '' -or $_.program -match '^(Any|System)$' -or $_.program -match '[\\/]sshd\.exe$') -and
            @($_.from | Where-Object { Test-WideAddress $_ }).Count -gt 0
        })
}

function Get-RuleStates {
    # The states of all local rules, by name: looked at before anything is changed.
    $states = @{}
    foreach ($rule in @(Get-NetFirewallRule -ErrorAction Stop)) {
        $states[[string]$rule.Name] = [string]$rule.Enabled
    }
    return $states
}

function Close-WideRules {
    # Switches off rules that let everybody in to the ports; ours name the cluster. A rule for every port of the
    # machine is somebody's decision about more than these: it is left, and the checks report it.
    param([Parameter(Mandatory = $true)][int[]]$Ports)
    foreach ($wide in @(Get-WideRules -Ports $Ports)) {
        if ($wide.policy -or $wide.every) {
            continue
        }
        $old = $null
        if ($Before.ContainsKey($wide.name)) {
            $old = $Before[$wide.name]
        }
        if ($old -eq 'True') {
            Write-Note "the firewall rule $($wide.name) ($($wide.display)) lets in $($wide.from -join ', '): it is switched off, because the cluster has rules of its own. -Undo switches it on again."
        }
        Invoke-Change -Kind 'RuleState' -Target $wide.name -Old $old -New 'False' -Do {
            Disable-NetFirewallRule -Name $wide.name -ErrorAction Stop
        }
        # A later run of the same kind finds it off.
        $Before[$wide.name] = 'False'
    }
}

function Write-SessionNote {
    # Someone who set this up from afar is cut off when the address is not one of the cluster's.
    param([Parameter(Mandatory = $true)][string[]]$Cluster)
    $from = ''
    if ($env:SSH_CONNECTION) {
        $from = ($env:SSH_CONNECTION -split '\s+')[0]
    }
    $remote = $null -ne (Get-Variable -Name 'PSSenderInfo' -ValueOnly -ErrorAction SilentlyContinue)
    if (($from -and $Cluster -notcontains $from) -or ($remote -and -not $from)) {
        Write-Note "you are logged in over the network $from. When that machine is not of the cluster, this session can end, and the next one is refused. Sit at this machine, or name the address in -ClusterIPs."
    }
}

function Restore-ClosedRules {
    # Rules that were off are switched off before anything else is put back, which may start a service for a moment.
    # What fails here is tried again, and reported, with its entry.
    param([AllowEmptyCollection()][object[]]$Entries = @())
    $names = @()
    foreach ($entry in $Entries) {
        if ($entry.kind -eq 'RuleState' -and [string]$entry.old -ne 'True') {
            $names += [string]$entry.target
        } elseif ($entry.kind -eq 'Remoting' -and $null -ne (Get-Field $entry.old 'rules')) {
            $names += @($entry.old.rules.PSObject.Properties | Where-Object { [string]$_.Value -eq 'False' } | ForEach-Object { $_.Name })
        }
    }
    foreach ($name in @($names | Select-Object -Unique)) {
        try {
            Undo-RuleState -Entry ([pscustomobject]@{ target = $name; old = 'False' })
        } catch {
            Write-Note "the firewall rule $name could not be switched off yet: $(Get-ErrorText $_)"
        }
    }
}

function Undo-RuleState {
    param([Parameter(Mandatory = $true)]$Entry)
    $present = Get-RuleState -Name $Entry.target
    $wanted = 'False'
    if ([string]$Entry.old -eq 'True') {
        $wanted = 'True'
    }
    if ($null -eq $present -or $present -eq $wanted) {
        return
    }
    if ($wanted -eq 'True') {
        Enable-NetFirewallRule -Name $Entry.target -ErrorAction Stop
    } else {
        Disable-NetFirewallRule -Name $Entry.target -ErrorAction Stop
    }
}

function Get-FirewallFaults {
    # Why rules would not do what they say; none when the firewall is on and local rules are in force.
    $faults = @()
    $service = Get-PlainService -Name 'MpsSvc'
    if ($null -ne $service -and [string]$service.Status -ne 'Running') {
        $faults += [pscustomobject]@{ open = $true; text = 'the service of the Windows firewall does not run: start it with Start-Service MpsSvc' }
        return $faults
    }
    foreach ($network in @(Get-NetFirewallProfile -PolicyStore ActiveStore -ErrorAction Stop)) {
        $name = [string]$network.Name
        if ([string]$network.Enabled -eq 'False') {
            $faults += [pscustomobject]@{ open = $true; text = "the Windows firewall is off in $name networks: switch it on with Set-NetFirewallProfile -Name $name -Enabled True" }
        } elseif ([string](Get-Field $network 'DefaultInboundAction') -eq 'Allow') {
            $faults += [pscustomobject]@{ open = $true; text = "the Windows firewall lets everything in that no rule blocks, in $name networks: Set-NetFirewallProfile -Name $name -DefaultInboundAction Block" }
        }
        if ([string](Get-Field $network 'AllowLocalFirewallRules') -eq 'False') {
            $faults += [pscustomobject]@{ open = $false; text = "a policy makes local firewall rules void in $name networks: ask its administrator for rules for the cluster" }
        }
        if ([string](Get-Field $network 'AllowInboundRules') -eq 'False') {
            $faults += [pscustomobject]@{ open = $false; text = "the Windows firewall lets nothing in, whatever the rules say, in $name networks: Set-NetFirewallProfile -Name $name -AllowInboundRules True" }
        }
    }
    return $faults
}

function Assert-Firewall {
    # Rules for the cluster only mean something where the firewall is on.
    $open = @(Get-FirewallFaults | Where-Object { $_.open })
    if ($open.Count -gt 0) {
        throw "Nothing was changed, because what this script starts would be open to everybody: $(@($open | ForEach-Object { $_.text }) -join '; '). Then run this again."
    }
}

function Get-FirewallChecks {
    # One result for each rule, and for whatever is in the rules' way. `Python` is the interpreter that trains.
    param(
        [Parameter(Mandatory = $true)][object[]]$Rules,
        [AllowEmptyCollection()][int[]]$Ports = @(),
        [string]$Python = ''
    )
    foreach ($rule in $Rules) {
        $same = (Get-RuleSummary (Get-RuleContent -Name $rule.name)) -eq (Get-RuleSummary (Get-WantedRule -Rule $rule -From $rule.from))
        [pscustomobject]@{ ok = $same; text = "firewall rule $($rule.name) $($rule.ports) for the cluster" }
    }
    foreach ($fault in @(Get-FirewallFaults)) {
        [pscustomobject]@{ ok = $false; text = $fault.text }
    }
    # Of the rendezvous' ports and the system's choice one each: a rule against ranks has no port, or all of them.
    $all = @($Ports) + @(29500, 29501, 29502, 29503, 29504, 49152)
    foreach ($block in @(Get-InboundRules -Action 'Block' -Ports $all)) {
        $general = $block.program -eq '' -or $block.program -match '^(Any|System)$' -or $block.program -match '[\\/]sshd\.exe$'
        $same = $Python -and [Environment]::ExpandEnvironmentVariables($block.program) -eq $Python
        if ($general -or $same) {
            [pscustomobject]@{ ok = $false; text = "the rule $($block.name) ($($block.display)) blocks what the cluster needs, and wins over rules that allow it: Disable-NetFirewallRule -Name '$($block.name.Replace("'", "''"))'" }
        }
    }
    if ($Ports.Count -eq 0) {
        return
    }
    $wide = @(Get-WideRules -Ports $Ports)
    foreach ($rule in $wide) {
        $remedy = "Disable-NetFirewallRule -Name '$($rule.name.Replace("'", "''"))'"
        if ($rule.policy) {
            $remedy = 'it comes from a group policy: ask its administrator to narrow it'
        }
        [pscustomobject]@{ ok = $false; text = "the rule $($rule.name) ($($rule.display)) lets in $($rule.from -join ', '): $remedy" }
    }
    if ($wide.Count -eq 0) {
        [pscustomobject]@{ ok = $true; text = "no rule lets everybody in to port $($Ports -join ', ')" }
    }
}
