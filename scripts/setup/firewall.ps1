# Rules that let in the named addresses and nobody else.

# All of them are of this group; so is the one that `dtui preflight --fix` makes.
$RuleGroup = 'dtui'

function Get-DynamicPorts {
    # Ranks listen on ports that the system takes from this range; the words around the two numbers are localised.
    $text = @(Invoke-Native -Program 'netsh.exe' -Arguments @('int', 'ipv4', 'show', 'dynamicport', 'tcp')) -join "`n"
    $numbers = [regex]::Matches("$text`n", '(\d{4,5})\s')
    if ($numbers.Count -lt 2) {
        return '49152-65535'
    }
    $first = [int]$numbers[0].Groups[1].Value
    $last = $first + [int]$numbers[1].Groups[1].Value - 1
    return "$first-$last"
}

function Get-RuleContent {
    # What a rule says, complete enough to make it again; nothing when there is no such rule.
    param([Parameter(Mandatory = $true)][string]$Name)
    $rule = Get-NetFirewallRule -Name $Name -ErrorAction SilentlyContinue
    if ($null -eq $rule) {
        return $null
    }
    $port = $rule | Get-NetFirewallPortFilter
    $address = $rule | Get-NetFirewallAddressFilter
    $ports = @()
    if ([string]$port.Protocol -match '^(TCP|UDP)$') {
        $ports = @($port.LocalPort)
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
        icmp = @($port.IcmpType | Where-Object { $null -ne $_ })
        from = @($address.RemoteAddress | Sort-Object)
    }
}

function Get-RuleSummary {
    # Two contents with the same summary do the same. Windows may write a single machine as address and mask.
    param($Content)
    if ($null -eq $Content) {
        return ''
    }
    $from = @($Content.from | ForEach-Object { $_ -replace '/(32|128|255\.255\.255\.255)$', '' } | Sort-Object)
    return (@($Content.action, $Content.enabled, $Content.protocol, ($Content.ports -join ','), ($from -join ',')) -join ' ')
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
    if ([string]$Content.protocol -match '^ICMP') {
        $arguments['IcmpType'] = @($Content.icmp)
    } elseif (@($Content.ports).Count -gt 0) {
        $arguments['LocalPort'] = @($Content.ports)
    }
    New-NetFirewallRule @arguments | Out-Null
}

function Set-ClusterRule {
    # One entry of the effects' firewall list, for the given addresses.
    param([Parameter(Mandatory = $true)]$Rule, [Parameter(Mandatory = $true)][string[]]$From)
    $ports = @()
    if ($Rule.protocol -eq 'TCP') {
        $ports = @($Rule.ports)
        if ($Rule.ports -eq 'dynamic') {
            $ports = @(Get-DynamicPorts)
        }
    }
    $icmp = @()
    if ($Rule.protocol -eq 'ICMPv4') {
        $icmp = @('8')
    }
    $wanted = [ordered]@{
        display = "dtui: $($Rule.purpose)"
        group = $RuleGroup
        direction = 'Inbound'
        action = 'Allow'
        enabled = 'True'
        profile = 'Any'
        protocol = $Rule.protocol
        ports = $ports
        icmp = $icmp
        from = @($From | Sort-Object)
    }
    $present = Get-RuleContent -Name $Rule.name
    if ((Get-RuleSummary $present) -eq (Get-RuleSummary $wanted)) {
        return
    }
    Invoke-Change -Kind 'FirewallRule' -Target $Rule.name -Old $present -New $wanted -Do {
        if ($null -ne $present) {
            Remove-NetFirewallRule -Name $Rule.name
        }
        New-RuleFromContent -Name $Rule.name -Content $wanted
    }
}

function Undo-FirewallRule {
    param([Parameter(Mandatory = $true)]$Entry)
    Remove-NetFirewallRule -Name $Entry.target -ErrorAction SilentlyContinue
    if ($null -ne $Entry.old) {
        New-RuleFromContent -Name $Entry.target -Content $Entry.old
    }
}

function Remove-RestOfGroup {
    # Takes away what dtui's preflight opened here, which no journal knows. Rules that a journal still knows stay:
    # this machine may be a master and a worker.
    [CmdletBinding(SupportsShouldProcess = $true)]
    param([Parameter(Mandatory = $true)][string[]]$Journals)
    foreach ($journal in $Journals) {
        if (Test-Path -LiteralPath $journal) {
            return
        }
    }
    foreach ($rule in @(Get-NetFirewallRule -Group $RuleGroup -ErrorAction SilentlyContinue)) {
        if ($PSCmdlet.ShouldProcess([string]$rule.Name, 'remove the rule that dtui preflight made')) {
            Remove-NetFirewallRule -Name $rule.Name
            Write-Result -Good $true -Text "$($rule.Name), a rule that dtui preflight made, is removed"
        }
    }
}

function Get-RuleState {
    # 'True', 'False', or nothing where there is no such rule.
    param([Parameter(Mandatory = $true)][string]$Name)
    $rule = Get-NetFirewallRule -Name $Name -ErrorAction SilentlyContinue
    if ($null -eq $rule) {
        return $null
    }
    return [string]$rule.Enabled
}

function Close-OpenRule {
    # Switches off a rule of Windows that lets everybody in; ours name the cluster. `Before` is its state before
    # this script installed or enabled what the rule belongs to.
    param([Parameter(Mandatory = $true)][string]$Name, $Before = $null)
    if ((Get-RuleState -Name $Name) -ne 'True') {
        return
    }
    Write-Note "the rule $Name of Windows lets every machine in: it is switched off; -Undo switches it on again."
    Invoke-Change -Kind 'RuleState' -Target $Name -Old $Before -New 'False' -Do {
        Disable-NetFirewallRule -Name $Name
    }
}

function Undo-RuleState {
    param([Parameter(Mandatory = $true)]$Entry)
    if ([string]$Entry.old -eq 'True') {
        Enable-NetFirewallRule -Name $Entry.target -ErrorAction SilentlyContinue
    } else {
        Disable-NetFirewallRule -Name $Entry.target -ErrorAction SilentlyContinue
    }
}
